"""Rules of pipelines: commands, their arguments, redirections, assignments; knows no keyword."""

from __future__ import annotations

from typing import Literal

from starover_lab.powershell import nodes
from starover_lab.powershell.parsing_expressions import ExpressionRules
from starover_lab.powershell.tokens import Token

__all__ = ["CommandRules"]

_ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%="})
_ENDS_COMMAND = frozenset({"|", "}", ")", "EndOfInput", "NewLine", ";", "&&", "||"})
_NO_ARGUMENT = _ENDS_COMMAND | {"Redirection", "RedirectIn", "&", "--", ","}
_EXPRESSIONS = frozenset(
    {"SplattedVariable", "Variable", "Number", "(", "$(", "@(", "@{", "{"}
    | {"HereStringExpandable", "StringExpandable", "HereStringLiteral", "StringLiteral"}
)
_VERBATIM = "--%"


class CommandRules(ExpressionRules):
    """Pipelines and commands."""

    def pipeline(self) -> nodes.Statement | None:
        """A pipeline or an assignment, or None when there is none."""
        elements: list[nodes.Command | nodes.ExpressionCommand] = []
        pipe: Token | None = None
        while True:
            assign: Token | None = None
            with self.mode("expression"):
                expression = self.expression()
                if expression is not None and self.peek().kind in _ASSIGNMENTS:
                    assign = self.next()
            element: nodes.Command | nodes.ExpressionCommand | None
            if expression is not None:
                if elements:
                    raise self.error("ExpressionsMustBeFirstInPipeline", expression.start)
                if assign is not None:
                    return self._assignment(expression, assign)
                element = self._expression_element(expression)
            else:
                element = self._command()
            if element is not None:
                elements.append(element)
            elif elements or self.peek().kind == "|":
                raise self.error("EmptyPipeElement", pipe.end if pipe is not None else self.peek().start)
            pipe = self.peek()
            if pipe.kind in (";", "NewLine", ")", "}", "EndOfInput"):
                break
            if pipe.kind == "|":
                self.next()
                self.skip_newlines()
                if self.peek().kind == "EndOfInput":
                    raise self.error("EmptyPipeElement", pipe.end)
            elif pipe.kind in ("&&", "||"):
                raise self.error("InvalidEndOfLine", pipe.start)
            else:
                raise self.error("UnexpectedToken", pipe.start)
        if not elements:
            return None
        first, last = elements[0], elements[-1]
        return nodes.Pipeline(start=first.start, end=last.end, line=first.line, elements=tuple(elements))

    def _assignment(self, target: nodes.Expression, assign: Token) -> nodes.Statement:
        self.skip_newlines()
        value = self.statement()
        if value is None:
            raise self.error("ExpectedValueExpression", assign.end)
        return nodes.Assignment(
            start=target.start, end=value.end, line=target.line, target=target, operator=assign.kind, value=value
        )

    def _expression_element(self, expression: nodes.Expression) -> nodes.ExpressionCommand:
        redirections: list[nodes.Redirection] = []
        while self.peek().kind in ("Redirection", "RedirectIn"):
            self._redirection(self.next(), redirections)
        end = redirections[-1].end if redirections else expression.end
        return nodes.ExpressionCommand(
            start=expression.start,
            end=end,
            line=expression.line,
            expression=expression,
            redirections=tuple(redirections),
        )

    def _redirection(self, token: Token, so_far: list[nodes.Redirection]) -> None:
        stream, to, append = token.streams
        target: nodes.Expression | None = None
        end = token.end
        if to is None:
            target = self.single_argument()
            if target is None:
                raise self.error("MissingFileSpecification", token.end)
            if token.kind == "RedirectIn":
                raise self.error("RedirectionNotSupported", token.start)
            end = target.end
        elif to != 1 or stream == to:
            raise self.error("RedirectionNotSupported", token.start)
        if any(one.stream == stream for one in so_far):
            raise self.error("StreamAlreadyRedirected", token.start)
        so_far.append(
            nodes.Redirection(
                start=token.start,
                end=end,
                line=self.line(token.start),
                stream=stream,
                to=to,
                target=target,
                append=append,
            )
        )

    # -- arguments

    def single_argument(self, *, command_name: bool = False) -> nodes.Expression | None:
        """One argument as behind a command (a file name, the condition of a switch), or None."""
        if self.peek().kind in (",", "EndOfInput"):
            return None
        with self.mode("command"):
            return self._one_argument(self.next(), expand=not command_name)

    def _one_argument(self, token: Token, *, expand: bool) -> nodes.Expression | None:
        """The argument that begins with a token just taken; None puts the token back."""
        if token.kind in _NO_ARGUMENT:
            self.ungot = token
            return None
        if token.kind in _EXPRESSIONS:
            self.ungot = token
            return self.primary(members=True)
        if token.kind == "Generic" and token.parts is not None and expand:
            return self.expandable(token)
        # A command's name is not expanded, and a keyword is only a word here.
        value = token.value if token.kind == "Generic" and token.parts is None else token.text
        line = self.line(token.start)
        return nodes.Constant(start=token.start, end=token.end, line=line, value=value, bare=True, text=token.text)

    def _argument(self, token: Token) -> nodes.Expression | None:
        """An argument, or several with commas between them, which are an array."""
        found = self._one_argument(token, expand=True)
        if found is None:
            return None
        items = [found]
        while token.text != _VERBATIM and (comma := self.peek()).kind == ",":
            self.next()
            self.skip_newlines()
            item = self._one_argument(self.next(), expand=True)
            if item is None:
                raise self.error("MissingExpression", comma.end)
            items.append(item)
        if len(items) == 1:
            return found
        return nodes.ArrayLiteral(start=found.start, end=items[-1].end, line=found.line, items=tuple(items))

    # -- commands

    def _command(self) -> nodes.Command | None:
        with self.mode("command"):
            first = token = self.next()
            invocation: Literal["", "&", "."] = ""
            if token.kind == "&" or token.kind == ".":
                invocation = "&" if token.kind == "&" else "."
                token = self.next()
            elements: list[nodes.Expression | nodes.ParameterElement] = []
            redirections: list[nodes.Redirection] = []
            end = first.end
            dashes = False
            named = False
            while token.kind not in _ENDS_COMMAND:
                if token.kind == "&":
                    raise self.error("AmpersandNotAllowed", token.start)
                if token.kind == ",":
                    raise self.error("MissingArgument", token.start)
                if token.kind == "--":
                    elements.append(self._word(token) if dashes else self._parameter_element(token, "-"))
                    dashes = True
                elif token.kind == "Parameter":
                    elements.append(self._word(token) if not named or dashes else self._parameter_element(token))
                elif token.kind in ("Redirection", "RedirectIn"):
                    if named:
                        self._redirection(token, redirections)
                    else:
                        elements.append(self._word(token))
                elif not named:
                    name = self._one_argument(token, expand=invocation != "")
                    assert name is not None, "what can be no argument was seen before"
                    elements.append(name)
                else:
                    argument = self._argument(token)
                    assert argument is not None, "what can be no argument was seen before"
                    elements.append(argument)
                    if token.text == _VERBATIM:
                        elements.append(self._verbatim())
                named = True
                end = max([end, *(one.end for one in (*elements[-1:], *redirections[-1:]))])
                token = self.next()
            self.ungot = token
        if not elements:
            if invocation:
                raise self.error("MissingExpression", first.start)
            return None
        return nodes.Command(
            start=first.start,
            end=end,
            line=self.line(first.start),
            invocation=invocation,
            elements=tuple(elements),
            redirections=tuple(redirections),
        )

    def _word(self, token: Token) -> nodes.Constant:
        return nodes.Constant(
            start=token.start,
            end=token.end,
            line=self.line(token.start),
            value=token.text,
            bare=True,
            text=token.text,
        )

    def _parameter_element(self, token: Token, name: str | None = None) -> nodes.ParameterElement:
        argument: nodes.Expression | None = None
        if token.colon and self.peek().kind != ",":
            argument = self._argument(self.next())
            if argument is None:
                raise self.error("ParameterRequiresArgument", token.end)
        return nodes.ParameterElement(
            start=token.start,
            end=token.end if argument is None else argument.end,
            line=self.line(token.start),
            name=token.value if name is None else name,
            argument=argument,
            text=token.text,
        )

    def _verbatim(self) -> nodes.Constant:
        start = self.scan.pos
        text = self.scan.verbatim()
        return nodes.Constant(start=start, end=self.scan.pos, line=self.line(start), value=text, bare=True, text=text)
