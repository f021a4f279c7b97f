"""A PowerShell of the lab's own: tokenizer, parser, values, evaluator, core cmdlets; knows no host, no wire, no world.

Right or refused, never wrong: what is not known to be evaluated exactly raises `Unsupported` with construct and line.
"""
