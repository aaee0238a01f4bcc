"""Answers questions about a library from its documentation, and remembers what the conversation is about."""

import math
import pathlib
import re
import sys

sys.path.insert(0, "/helper")
import heddle_agent

COMMON = set("a an and are at can do for from how i if in is it me my of on or so that the to what when with you your".split())


def words(text):
    return [word for word in re.findall(r"[a-z]{2,}", text.lower()) if word not in COMMON]


def sections(folder):
    for file in sorted(pathlib.Path(folder).glob("*.md")):
        parts = re.split(r"^#+ +(.+)$", file.read_text(encoding="utf-8"), flags=re.M)
        for title, body in zip(parts[1::2], parts[2::2]):
            if body.strip():
                yield {"file": file.name, "title": title.strip(" `"), "body": body.strip()}


def best_section(found, weights):
    """BM25, where a word of a title counts as several."""
    texts = [words(section["title"]) * 3 + words(section["body"]) for section in found]
    average = sum(map(len, texts)) / len(texts)

    def rarity(word):
        holders = sum(word in text for text in texts)
        return math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))

    def score(text):
        room = 1.2 * (0.25 + 0.75 * len(text) / average)
        return sum(
            weight * rarity(word) * text.count(word) * 2.2 / (text.count(word) + room)
            for word, weight in weights.items()
        )

    return max(zip(texts, found), key=lambda pair: score(pair[0]))[1]


def assistant(ctx):
    question = ctx.input["question"]
    ctx.emit("user_message", {"content": question})
    found = ctx.step("read", lambda: list(sections("/library")))
    print("read", len(found), "sections")
    # What was asked before still tells what "it" is.
    weights = {**{word: 0.1 for word in ctx.values["topic"]}, **{word: 1 for word in words(question)}}
    section = best_section(found, weights)
    messages = ctx.values["messages"] + [{"role": "user", "text": question}]
    # A crash from here on does not lose the question.
    ctx.checkpoint({"messages": messages, "topic": words(question)})

    answer = "%s\n\n%s" % (section["title"], section["body"][:600])
    for token in re.findall(r"\S+\s*", answer):
        ctx.delta("assistant_message", {"text": token}, message_id=ctx.run_id)
    ctx.emit("assistant_message", {"messageId": ctx.run_id, "content": answer})
    pathlib.Path(ctx.artifacts, "answer.md").write_text(answer, encoding="utf-8")
    return {
        "output": {"answer": answer, "source": section["file"]},
        "values": {"messages": messages + [{"role": "assistant", "text": answer}]},
    }


heddle_agent.serve(assistant)
