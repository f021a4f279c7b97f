"""From the text of a script to its syntax tree: `parse`; the last rules (loops, switch) and the checks of the whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from starover_lab.powershell import nodes
from starover_lab.powershell.checks import check
from starover_lab.powershell.parsing_statements import StatementRules
from starover_lab.powershell.tokens import ParseError, Token

__all__ = ["ParseError", "parse"]

_SWITCH_FLAGS = ("regex", "wildcard", "exact", "casesensitive", "parallel", "file")


class _Parser(StatementRules):
    """Loops and switch."""

    def _loop(self, token: Token, label: Token | None) -> nodes.Statement:
        rules: dict[str, Callable[[Token, str, int], nodes.Statement]] = {
            "switch": self._switch,
            "foreach": self._foreach,
            "for": self._for,
            "while": self._while,
            "do": self._do,
        }
        start = token.start if label is None else label.start
        return rules[token.kind](token, "" if label is None else label.value, start)

    def _open(self, error_id: str, token: Token) -> Token:
        self.skip_newlines()
        opened = self.next()
        if opened.kind != "(":
            raise self.error(error_id, token.end)
        self.skip_newlines()
        return opened

    def _foreach(self, token: Token, label: str, start: int) -> nodes.Statement:
        self.skip_newlines()
        refused = ""
        while (flag := self.peek()).kind == "Parameter":
            self.next()
            if "parallel".startswith(flag.value.lower()):
                refused = "foreach -parallel"
            elif "throttlelimit".startswith(flag.value.lower()):
                self.skip_newlines()
                if self.single_argument() is None:
                    raise self.error("MissingThrottleLimit", flag.end)
                refused = "foreach -throttlelimit"
            else:
                raise self.error("InvalidForeachFlag", flag.start)
            self.skip_newlines()
        opened = self._open("MissingOpenParenthesisAfterKeyword", token)
        name = self.next()
        if name.kind not in ("Variable", "SplattedVariable"):
            raise self.error("MissingVariableNameAfterForeach", opened.end)
        variable = nodes.Variable(
            start=name.start,
            end=name.end,
            line=self.line(name.start),
            name=name.value,
            splatted=name.kind == "SplattedVariable",
        )
        self.skip_newlines()
        keyword = self.next()
        if keyword.kind != "in":
            raise self.error("MissingInInForeach", variable.end)
        self.skip_newlines()
        values = self.pipeline()
        if values is None:
            raise self.error("MissingForeachExpression", keyword.end)
        self.skip_newlines()
        closing = self.next()
        if closing.kind != ")":
            raise self.error("MissingEndParenthesisAfterForeach", values.end)
        body = self.statement_block()
        if body is None:
            raise self.error("MissingForeachStatement", closing.end)
        if refused:
            raise self.error("KeywordParameterReservedForFutureUse", start)
        return nodes.ForEach(
            start=start, end=body.end, line=self.line(start), label=label, variable=variable, values=values, body=body
        )

    def _for(self, token: Token, label: str, start: int) -> nodes.Statement:
        opened = self._open("MissingOpenParenthesisAfterKeyword", token)
        last = opened.end
        parts: list[nodes.Statement | None] = []
        for _ in range(3):
            part = self.pipeline()
            parts.append(part)
            last = last if part is None else part.end
            if len(parts) < 3 and self.peek().kind == ";":
                last = self.next().end
            self.skip_newlines()
        closing = self.next()
        if closing.kind != ")":
            raise self.error("MissingEndParenthesisAfterStatement", last)
        body = self.statement_block()
        if body is None:
            raise self.error("MissingLoopStatement", closing.end)
        return nodes.For(
            start=start,
            end=body.end,
            line=self.line(start),
            label=label,
            first=parts[0],
            condition=parts[1],
            following=parts[2],
            body=body,
        )

    def _condition(self, token: Token) -> tuple[nodes.Statement, Token]:
        opened = self._open("MissingOpenParenthesisAfterKeyword", token)
        condition = self.pipeline()
        if condition is None:
            raise self.error("MissingExpressionAfterKeyword", opened.end)
        self.skip_newlines()
        closing = self.next()
        if closing.kind != ")":
            raise self.error("MissingEndParenthesisAfterStatement", condition.end)
        return condition, closing

    def _while(self, token: Token, label: str, start: int) -> nodes.Statement:
        condition, closing = self._condition(token)
        body = self.statement_block()
        if body is None:
            raise self.error("MissingLoopStatement", closing.end)
        return nodes.While(
            start=start, end=body.end, line=self.line(start), label=label, condition=condition, body=body
        )

    def _do(self, token: Token, label: str, start: int) -> nodes.Statement:
        body = self.statement_block()
        if body is None:
            raise self.error("MissingLoopStatement", token.end)
        self.skip_newlines()
        keyword = self.next()
        if keyword.kind not in ("while", "until"):
            raise self.error("MissingWhileOrUntilInDoWhile", body.end)
        condition, closing = self._condition(keyword)
        return nodes.DoLoop(
            start=start,
            end=closing.end,
            line=self.line(start),
            label=label,
            condition=condition,
            body=body,
            until=keyword.kind == "until",
        )

    # -- switch

    def _switch_flags(self) -> tuple[dict[str, Token], nodes.Expression | None, int]:
        flags: dict[str, Token] = {}
        file: nodes.Expression | None = None
        last = -1
        while (flag := self.peek()).kind == "Parameter":
            self.next()
            last = flag.end
            name = next((one for one in _SWITCH_FLAGS if one.startswith(flag.value.lower())), None)
            if name is None:
                raise self.error("InvalidSwitchFlag", flag.start)
            if name in ("regex", "wildcard", "exact"):
                for other in ("regex", "wildcard", "exact"):
                    flags.pop(other, None)
            flags[name] = flag
            if name == "file":
                self.skip_newlines()
                file = self.single_argument()
                if file is None:
                    raise self.error("MissingFilenameOption", flag.end)
                last = file.end
        return flags, file, last

    def _switch(self, token: Token, label: str, start: int) -> nodes.Statement:
        self.skip_newlines()
        flags, file, last = self._switch_flags()
        last = max(last, token.end if start == token.start else start)
        condition: nodes.Statement | None = None
        opened = self.peek()
        if opened.kind == "(":
            self.next()
            if file is not None:
                raise self.error("PipelineValueRequired", opened.start)
            self.skip_newlines()
            condition = self.pipeline()
            if condition is None:
                raise self.error("PipelineValueRequired", opened.end)
            self.skip_newlines()
            closing = self.next()
            if closing.kind != ")":
                raise self.error("MissingEndParenthesisInSwitchStatement", condition.end)
            last = closing.end
        elif file is None:
            raise self.error("PipelineValueRequired", last)
        self.skip_newlines()
        brace = self.next()
        if brace.kind != "{":
            raise self.error("MissingCurlyBraceInSwitchStatement", last)
        clauses, default, end = self._switch_clauses(brace)
        if "parallel" in flags:
            raise self.error("KeywordParameterReservedForFutureUse", start)
        return nodes.Switch(
            start=start,
            end=end,
            line=self.line(start),
            label=label,
            mode="regex" if "regex" in flags else "wildcard" if "wildcard" in flags else "exact",
            case_sensitive="casesensitive" in flags,
            refused="" if file is None else "switch -File",
            condition=condition,
            clauses=tuple(clauses),
            default=default,
        )

    def _switch_clauses(
        self, brace: Token
    ) -> tuple[list[tuple[nodes.Expression, nodes.Block]], nodes.Block | None, int]:
        clauses: list[tuple[nodes.Expression, nodes.Block]] = []
        default: nodes.Block | None = None
        last = brace.end
        self.skip_newlines()
        while True:
            test = self.single_argument()
            if test is None:
                raise self.error("MissingSwitchConditionExpression", last)
            body = self.statement_block()
            if body is None:
                raise self.error("MissingSwitchStatementClause", test.end)
            last = body.end
            if isinstance(test, nodes.Constant) and test.bare and str(test.value).lower() == "default":
                if default is not None:
                    raise self.error("MultipleSwitchDefaultClauses", test.start)
                default = body
            else:
                clauses.append((test, body))
            self.skip_separators()
            token = self.peek()
            if token.kind == "}":
                return clauses, default, self.next().end
            if token.kind == "EndOfInput":
                raise self.error("MissingEndCurlyBrace", brace.start)


@lru_cache(maxsize=256)
def parse(text: str) -> nodes.Script:
    """The tree of a whole script.

    Raises `ParseError` for what Windows PowerShell's parser would refuse, with its first error, and `Unsupported` for
    what is not parsed here (`class`, `enum`, `using`...). Trees are never changed, so equal texts share one.
    """
    parser = _Parser(text.removeprefix("\ufeff"))
    script = parser.script_block(None)
    check(script, parser.error)
    return script
