# What the scripts here have in common: a question as a line of JSON on stdin, its answer as one on stdout, and an end
# when stdin ends.

import json
import sys


# `answers` has a function for each value of `do`, which gets the other members.
def serve(**answers):
    for line in sys.stdin:
        question = json.loads(line)
        answer = answers[question.pop("do")]
        try:
            answer = answer(**question)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
