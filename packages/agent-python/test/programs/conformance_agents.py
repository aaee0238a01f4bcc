"""The agents of the executor conformance suite, in Python."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
import heddle_agent


class AgentMistake(Exception):
    pass


def echo(ctx):
    return {
        "output": {
            "input": ctx.input,
            "config": ctx.config,
            "values": ctx.values,
            "metadata": ctx.metadata,
            "runId": ctx.run_id,
            "threadId": ctx.thread_id,
            "attempt": ctx.attempt,
        }
    }


def nothing(ctx):
    return None


def change(ctx):
    return {"output": None, "values": {"changed": {"by": "agent"}, "kept": ctx.values["kept"]}}


def talk(ctx):
    ctx.emit("first", {"n": 1})
    ctx.delta("token", "a", message_id="m1")
    ctx.delta("token", {"text": "b\u0000\ud800\U0001f600"})
    ctx.emit("second", None, key="once")
    return {"output": "said"}


def hurry(ctx):
    for n in range(1, 5):
        ctx.emit("step", n, wait=False)
    ctx.emit("step", 5)
    return {"output": "done"}


def checkpoint(ctx):
    first = ctx.checkpoint({"step": 1})
    second = ctx.checkpoint({"step": 2, "more": [True]})
    return {"output": {"first": first, "second": second}}


def fail(ctx):
    raise AgentMistake("boom \u00e4\U0001f600")


def fail_with_text(ctx):
    sys.exit("only text")


def refused(ctx):
    def code_of(call):
        try:
            return call()
        except heddle_agent.EngineError as error:
            return error.code

    return {"output": [code_of(lambda: ctx.emit("late", 1)), code_of(lambda: ctx.checkpoint({"late": True}))]}


def wait(ctx):
    ctx.emit("waiting", None, wait=False)
    while True:
        ctx.check()
        time.sleep(0.01)


def mutate(ctx):
    ctx.values["deep"]["list"].append(9)
    return {"output": "allowed"}


def steps(ctx):
    def again():
        again.tries += 1
        if again.tries < 3:
            raise AgentMistake("again")
        return again.tries

    def for_good():
        raise AgentMistake("for good")

    again.tries = 0
    known = ctx.step("known", lambda: "done again")
    made = ctx.step("made", lambda: {"n": 1, "list": ["\u00e4\U0001f600"]})
    nothing = ctx.step("nothing", lambda: None)
    tried = ctx.step("tried", again, tries=3, delay=0)
    try:
        failed = ctx.step("failed", for_good)
    except AgentMistake as error:
        failed = "AgentMistake: %s" % error
    return {
        "output": {
            "known": known,
            "made": made,
            "nothing": "nothing" if nothing is None else nothing,
            "tried": tried,
            "failed": failed,
            "resumed": ctx.resumed,
        }
    }


def ask(ctx):
    size = ctx.interrupt("size", {"text": "Which size?"})
    for key, payload in (("colour", "Which?"), ("shape", None)):
        try:
            ctx.interrupt(key, payload)
        except heddle_agent.EngineError:
            pass
    ctx.emit("went_on")
    return {"output": size}


def parent(ctx):
    result = ctx.start("first", "other", {"n": 1}, priority=2)
    return {"output": {"runId": result.run_id, "result": result()}}


def listen(ctx):
    first = next(ctx.steered())
    others = ctx.take_steered()
    others.extend(ctx.steered())
    return {"output": {"first": first, "others": others, "last": "the end"}}


def nap(ctx):
    ctx.sleep(0.02)
    ctx.emit("awake")
    return {"output": "slept"}


heddle_agent.serve(
    {
        "echo": echo,
        "nothing": nothing,
        "change": change,
        "talk": talk,
        "hurry": hurry,
        "checkpoint": checkpoint,
        "fail": fail,
        "failWithText": fail_with_text,
        "refused": refused,
        "wait": wait,
        "mutate": mutate,
        "steps": steps,
        "ask": ask,
        "parent": parent,
        "listen": listen,
        "nap": nap,
    }
)
