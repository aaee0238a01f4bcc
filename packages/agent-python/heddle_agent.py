"""For agents of Heddle that are written in Python. One file, no dependencies, Python 3.8 or later.

    import heddle_agent

    def agent(ctx):
        ctx.emit("assistant_message", {"content": "Looking ..."})
        return {"output": look_up(ctx.input), "values": {"seen": ctx.values["seen"] + [ctx.input]}}

    heddle_agent.serve(agent)

A process runs one attempt, then ends. Whatever prints goes to standard error, which is the agent's log.
"""

import json
import os
import queue
import random
import sys
import threading
import time
import traceback

__all__ = ["Child", "Context", "EngineError", "REMOVE", "serve"]

PROTOCOL = 1


class _Remove:
    def __repr__(self):
        return "REMOVE"


#: As a top-level value: removes that key.
REMOVE = _Remove()


class EngineError(Exception):
    """The engine refused a call, or ends the attempt. `code` is one of Heddle's error codes."""

    def __init__(self, code, message, details=None):
        super().__init__(message)
        self.code = code
        self.details = details


class Context:
    """What an agent's function is handed. Its methods may be called from any thread."""

    def __init__(self, channel, start):
        self._channel = channel
        self.input = start["input"]
        #: Do not change these: return new ones. What comes back as the same object is not sent again.
        self.values = start["values"]
        self.config = start.get("config")
        self.metadata = start["metadata"]
        self.agent = start["agent"]
        self.run_id = start["runId"]
        #: None in a stateless run.
        self.thread_id = start.get("threadId")
        self.lineage_id = start["lineageId"]
        #: 1 in the first attempt.
        self.attempt = start["attempt"]
        #: The lineage goes on after a question that was answered.
        self.resumed = start["resumed"]
        #: From the executor's options.
        self.secrets = start.get("secrets") or {}
        #: Files that are left in this folder are kept with the run. None where the executor collects none.
        self.artifacts = start.get("artifacts")

    @property
    def canceled(self):
        """The engine wants the attempt to end."""
        return self._channel.canceled is not None

    def check(self):
        """Raise EngineError if the engine wants the attempt to end."""
        if self._channel.canceled is not None:
            raise self._channel.canceled

    def emit(self, type, payload=None, key=None, wait=True):
        """Append a durable event. Returns when it is committed, or at once with `wait=False`."""
        frame = {"type": "event", "event": type, "payload": payload}
        if key is not None:
            frame["key"] = key
        answer = self._channel.ask(frame)
        if wait:
            answer.result()

    def delta(self, type, payload=None, message_id=None):
        """Send a transient frame to whoever listens now."""
        frame = {"type": "delta", "delta": type, "payload": payload}
        if message_id is not None:
            frame["messageId"] = message_id
        self._channel.send(frame)

    def log(self, message, level="info", data=None):
        """A durable `log` event. Standard error is for what need not be kept."""
        self._channel.send({"type": "log", "level": level, "message": message, "data": data})

    def checkpoint(self, values):
        """Write a checkpoint now. Returns the new values."""
        answer = self._channel.ask({"type": "checkpoint", "patch": _patch(self.values, values)})
        self.values = answer.result()
        return self.values

    def step(self, key, work, tries=1, delay=1.0):
        """Do something once per lineage, whatever is retried: its result is remembered under the key.

        `work` takes nothing. It may fail `tries` times before the step does, `delay` seconds apart, doubling up to 60.
        """
        known = self._channel.ask({"type": "begin_step", "key": key}).result()
        if known["done"]:
            return known.get("value")
        try:
            result = self._try_often(work, tries, delay)
        except BaseException:
            self._channel.send({"type": "fail_step", "key": key})
            raise
        frame = {"type": "end_step", "key": key}
        if result is not None:
            frame["value"] = result
        return self._channel.ask(frame).result().get("value")

    def _try_often(self, work, tries, delay):
        for number in range(1, tries + 1):
            self.check()
            try:
                return work()
            except EngineError:
                raise
            except Exception:
                if number == tries:
                    raise
                time.sleep(min(delay * 2 ** (number - 1), 60) * random.random())

    def interrupt(self, key, payload=None, schema=None, expires_in=None):
        """Ask a human. Without an answer it raises: the attempt ends, and a later one gets it from the same call.

        `schema` is JSON Schema, `expires_in` in seconds.
        """
        frame = {"type": "ask", "key": key, "payload": payload}
        if schema is not None:
            frame["schema"] = schema
        if expires_in is not None:
            frame["expiresIn"] = expires_in * 1000
        return self._channel.ask(frame).result()

    def sleep(self, seconds, key=None):
        """A long one ends the attempt; a later one passes the same call at once."""
        frame = {"type": "sleep", "after": seconds * 1000}
        if key is not None:
            frame["key"] = key
        self._channel.ask(frame).result()

    def take_steered(self):
        """All messages that have come for this run and were not taken yet, in order: dicts with "runId", "input", "metadata"."""
        return self._channel.ask({"type": "take_steered"}).result()

    def steered(self):
        """Messages for this run, one by one, as they come. Ends when the engine wants the attempt to end."""
        while True:
            message = self._channel.ask({"type": "next_steered"}).result()
            if message is None:
                return
            yield message

    def start(self, key, agent, input=None, **options):
        """Start a run of another agent, once per lineage and key. Returns a Child: call it to wait for its output."""
        frame = {"type": "start_child", "key": key, "agent": agent, "input": input, "options": options}
        started = self._channel.ask(frame).result()
        return Child(started["runId"], lambda: self._channel.ask({"type": "child_result", "key": key}).result())


class Child:
    """A run that was started by `Context.start`."""

    def __init__(self, run_id, result):
        self.run_id = run_id
        self._result = result

    def __call__(self):
        """The child's output, as soon as there is one. Raises EngineError if it failed."""
        return self._result()


def serve(agents):
    """Run the attempt that this process was started for, then end it.

    `agents` is a function of a Context, or a dict of them by name. A function returns None or a dict with "output",
    "values" or both.
    """
    channel = _Channel()
    channel.send({"type": "hello", "protocol": PROTOCOL})
    start = channel.start()
    if start is None:
        os._exit(1)
    context = Context(channel, start)
    try:
        result = _agent_for(agents, context.agent)(context) or {}
        frame = {"type": "result", "output": result.get("output")}
        if result.get("values") is not None:
            frame["patch"] = _patch(context.values, result["values"])
        channel.send(frame)
    except BaseException as error:  # also sys.exit() and KeyboardInterrupt: the engine must hear of them
        channel.send(_error_frame(error))
    sys.stderr.flush()
    channel.ended.wait()
    os._exit(0)


def _agent_for(agents, name):
    if callable(agents):
        return agents
    if name not in agents:
        raise LookupError('there is no agent "%s" here' % name)
    return agents[name]


def _error_frame(error):
    frame = {"type": "error", "name": type(error).__name__, "message": str(error), "stack": traceback.format_exc()}
    if isinstance(error, EngineError):
        frame["code"] = error.code
    return frame


class _Answer:
    def __init__(self, channel):
        self._channel = channel
        self._queue = queue.SimpleQueue()

    def settle(self, value, error):
        self._queue.put((value, error))

    def result(self):
        value, error = self._queue.get()
        if error is not None:
            raise error
        return value


class _Channel:
    """The two pipes to the engine: frames out, frames in, read by a thread of its own."""

    def __init__(self):
        # Descriptor 1 becomes standard error, for print() and for libraries in C; frames keep the pipe for themselves.
        self._out = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
        self._in = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._lock = threading.Lock()
        self._waiting = {}
        self._questions = 0
        self.canceled = None
        self.ended = threading.Event()

    def send(self, frame):
        # ASCII, so that lone surrogates pass as escapes.
        text = json.dumps(frame, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
        with self._lock:
            self._out.write(text + "\n")
            self._out.flush()

    def ask(self, frame):
        answer = _Answer(self)
        with self._lock:
            self._questions += 1
            id = self._questions
            self._waiting[id] = answer
        self.send(dict(frame, id=id))
        return answer

    def start(self):
        """The first frame; the others are read in the background."""
        line = self._in.readline()
        if not line:
            return None
        threading.Thread(target=self._read, daemon=True).start()
        return json.loads(line)

    def _read(self):
        for line in self._in:
            frame = json.loads(line)
            if frame["type"] == "cancel":
                self.canceled = _error(frame["reason"])
            elif frame["type"] == "reply":
                self._settle(frame)
        # Answered, or nobody is there any more who could hear an answer.
        self.ended.set()
        os._exit(0)

    def _settle(self, frame):
        with self._lock:
            answer = self._waiting.pop(frame["id"], None)
        if answer is not None:
            error = frame.get("error")
            answer.settle(frame.get("value"), None if error is None else _error(error))


def _error(fields):
    return EngineError(fields["code"], fields["message"], fields.get("details"))


def _patch(base, update):
    """Changes against what the agent was handed, found by identity."""
    operations = []
    for key, value in update.items():
        if value is REMOVE:
            if key in base:
                operations.append({"op": "remove", "path": [key]})
        else:
            _difference(base, key, value, [key], operations)
    return operations


def _difference(container, key, after, path, operations):
    before = container.get(key)
    if before is after and key in container:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        operations.extend({"op": "remove", "path": path + [gone]} for gone in before if gone not in after)
        for name, value in after.items():
            _difference(before, name, value, path + [name], operations)
    elif isinstance(before, list) and isinstance(after, list) and _grew(before, after):
        operations.append({"op": "append", "path": path, "values": after[len(before) :]})
    else:
        operations.append({"op": "set", "path": path, "value": after})


def _grew(before, after):
    return len(after) > len(before) and all(old is new for old, new in zip(before, after))
