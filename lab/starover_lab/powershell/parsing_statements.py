"""Rules of statements: keywords, blocks, functions, whole scripts; knows no token by its characters."""

from __future__ import annotations

from typing import Literal, cast

from starover_lab.powershell import nodes
from starover_lab.powershell.parsing_commands import CommandRules
from starover_lab.powershell.tokens import KEYWORDS, Token
from starover_lab.powershell.values import Unsupported

__all__ = ["StatementRules"]

_BLOCKS = frozenset({"begin", "process", "end", "dynamicparam"})
# Keywords with rules of their own that nobody here needs: the script is refused.
_UNKNOWN = frozenset({"class", "enum", "using", "configuration", "parallel", "sequence"})
_FLOW = frozenset({"return", "throw", "exit", "break", "continue"})
_LOOPS = frozenset({"switch", "foreach", "for", "while", "do"})
_NO_NAME = frozenset(
    {"|", "(", "{", "@(", "@{", "}", ")", "EndOfInput", ";", "Redirection", "RedirectIn", "&&", "||", "&"}
    | {"Variable", "SplattedVariable", "HereStringExpandable", "HereStringLiteral", "StringLiteral", "StringExpandable"}
)


class StatementRules(CommandRules):
    """Statements and blocks."""

    # -- blocks

    def script_block(self, opened: Token | None, *, is_filter: bool = False) -> nodes.Script:
        """What is inside a script block whose brace was taken (None: a whole script)."""
        begun = self.scan.pos if opened is None else opened.start
        self.skip_newlines()
        resume = self.scan.pos
        parameters = self.param_block()
        if parameters is None:
            self.resync(resume)
        self.skip_separators()
        blocks: dict[str, nodes.Block] = {}
        if self.peek().kind in _BLOCKS:
            self._named_blocks(blocks)
        else:
            start = self.peek().start
            statements, traps = self.statements()
            end = statements[-1].end if statements else start
            name = "process" if is_filter else "end"
            blocks[name] = nodes.Block(
                start=start, end=end, line=self.line(start), statements=tuple(statements), traps=tuple(traps)
            )
        closing = self.next()
        if opened is None and closing.kind != "EndOfInput":
            raise self.error("UnexpectedToken", closing.start)
        if opened is not None and closing.kind != "}":
            raise self.error("MissingEndCurlyBrace", opened.start)
        return nodes.Script(
            start=begun,
            end=closing.end,
            line=self.line(begun),
            parameters=parameters,
            begin=blocks.get("begin"),
            process=blocks.get("process"),
            end_block=blocks.get("end"),
            dynamic=blocks.get("dynamicparam"),
            text=self.text if opened is None else self.text[opened.end : closing.start],
            source=self.text,
            is_filter=is_filter,
        )

    def _named_blocks(self, blocks: dict[str, nodes.Block]) -> None:
        while (token := self.peek()).kind in _BLOCKS:
            self.next()
            block = self.statement_block()
            if block is None:
                raise self.error("MissingNamedStatementBlock", token.end)
            if token.kind in blocks:
                raise self.error("DuplicateScriptCommandClause", token.start)
            blocks[token.kind] = block
            self.skip_separators()
        if token.kind not in ("}", "EndOfInput"):
            raise self.error("MissingNamedBlocks", token.start)

    def statement_block(self) -> nodes.Block | None:
        """Statements between braces, or None when there is no brace."""
        self.skip_newlines()
        opened = self.next()
        if opened.kind != "{":
            self.ungot = opened
            return None
        statements, traps = self.statements()
        closing = self.next()
        if closing.kind != "}":
            raise self.error("MissingEndCurlyBrace", opened.start)
        return nodes.Block(
            start=opened.start,
            end=closing.end,
            line=self.line(opened.start),
            statements=tuple(statements),
            traps=tuple(traps),
        )

    def statements(self) -> tuple[list[nodes.Statement], list[nodes.Trap]]:
        """A list of statements, with the traps apart."""
        found: list[nodes.Statement] = []
        traps: list[nodes.Trap] = []
        self.skip_separators()
        while (statement := self.statement()) is not None:
            if isinstance(statement, nodes.Trap):
                traps.append(statement)
            else:
                found.append(statement)
            self.skip_separators()
            if self.peek().kind in (")", "}"):
                break
        return found, traps

    # -- one statement

    def statement(self) -> nodes.Statement | None:
        """One statement, or None when there is none."""
        token = self.next()
        if token.kind == "Generic" and token.text[0] == "[":
            resume = token.start
            self.resync(resume)
            attributes = self.attributes(in_expression=False)
            following = self.next()
            types = any(isinstance(one, nodes.TypeExpression) for one in attributes)
            if following.kind in KEYWORDS and not types:
                raise self.error("UnexpectedAttribute", attributes[0].start)
            # A type before an expression: it is a cast, so it is read again.
            self.resync(resume)
            return self.pipeline()
        kind = token.kind
        if kind == "EndOfInput":
            self.ungot = token
            return None
        if kind == "Label":
            self.skip_newlines()
            keyword = self.next()
            if keyword.kind in _LOOPS:
                return self._loop(keyword, token)
            self.resync(token.start)
            return self.pipeline()
        if kind in _LOOPS:
            return self._loop(token, None)
        if kind in _FLOW:
            return self._flow(token)
        if kind == "if":
            return self._if(token)
        if kind == "try":
            return self._try(token)
        if kind in ("function", "filter", "workflow"):
            return self._function(token)
        if kind == "trap":
            return self._trap(token)
        if kind == "data":
            return self._data(token)
        if kind in ("from", "define", "var"):
            raise self.error("ReservedKeywordNotAllowed", token.start)
        if kind in _UNKNOWN:
            return self._unknown(token)
        self.ungot = token
        return self.pipeline()

    def _unknown(self, token: Token) -> nodes.Statement:
        if token.kind in ("class", "enum"):
            self.skip_newlines()
            if self.peek().kind not in ("Identifier", *KEYWORDS):
                raise self.error("MissingNameAfterKeyword", token.end)
        raise Unsupported(f"keyword {token.text}", self.line(token.start))

    def _flow(self, token: Token) -> nodes.Flow:
        kind = cast("Literal['return', 'throw', 'exit', 'break', 'continue']", token.kind)
        value: nodes.Statement | None = None
        label: nodes.Expression | None = None
        if kind in ("break", "continue"):
            label = self.label_or_key()
        else:
            value = self.pipeline()
        end = max(token.end, *(one.end for one in (value, label) if one is not None), 0)
        return nodes.Flow(start=token.start, end=end, line=self.line(token.start), kind=kind, value=value, label=label)

    def _if(self, token: Token) -> nodes.Statement:
        clauses: list[tuple[nodes.Statement, nodes.Block]] = []
        otherwise: nodes.Block | None = None
        keyword = token
        while True:
            self.skip_newlines()
            opened = self.next()
            if opened.kind != "(":
                raise self.error("MissingOpenParenthesisInIfStatement", keyword.end)
            self.skip_newlines()
            condition = self.pipeline()
            if condition is None:
                raise self.error("IfStatementMissingCondition", opened.end)
            self.skip_newlines()
            closing = self.next()
            if closing.kind != ")":
                raise self.error("MissingEndParenthesisAfterStatement", closing.start)
            body = self.statement_block()
            if body is None:
                raise self.error("MissingStatementBlock", closing.start)
            clauses.append((condition, body))
            self.skip_newlines()
            keyword = self.peek()
            if keyword.kind == "elseif":
                self.next()
                continue
            if keyword.kind == "else":
                self.next()
                otherwise = self.statement_block()
                if otherwise is None:
                    raise self.error("MissingStatementBlockAfterElse", keyword.end)
            break
        end = (otherwise or clauses[-1][1]).end
        return nodes.If(
            start=token.start, end=end, line=self.line(token.start), clauses=tuple(clauses), otherwise=otherwise
        )

    def _try(self, token: Token) -> nodes.Statement:
        body = self.statement_block()
        if body is None:
            raise self.error("MissingTryStatementBlock", token.end)
        catches: list[nodes.Catch] = []
        while (one := self._catch()) is not None:
            catches.append(one)
        self.skip_newlines()
        final: nodes.Block | None = None
        end = catches[-1].end if catches else body.end
        if (keyword := self.peek()).kind == "finally":
            self.next()
            final = self.statement_block()
            if final is None:
                raise self.error("MissingFinallyStatementBlock", keyword.end)
            end = final.end
        elif not catches:
            raise self.error("MissingCatchOrFinally", body.end)
        return nodes.Try(
            start=token.start,
            end=end,
            line=self.line(token.start),
            body=body,
            catches=tuple(catches),
            final=final,
        )

    def _catch(self) -> nodes.Catch | None:
        self.skip_newlines()
        keyword = self.next()
        if keyword.kind != "catch":
            self.ungot = keyword
            return None
        types: list[str] = []
        last = keyword.end
        comma: Token | None = None
        while True:
            resume = self.scan.pos if self.ungot is None else self.ungot.start
            self.skip_newlines()
            one = self.attribute()
            if one is None:
                if comma is not None:
                    raise self.error("MissingTypeLiteralToken", comma.end)
                break
            if isinstance(one, nodes.Attribute):
                self.resync(resume)
                break
            types.append(one.type)
            last = one.end
            self.skip_newlines()
            comma = self.peek()
            if comma.kind != ",":
                break
            self.next()
        body = self.statement_block()
        if body is None:
            raise self.error("MissingCatchHandlerBlock", last)
        return nodes.Catch(
            start=keyword.start, end=body.end, line=self.line(keyword.start), types=tuple(types), body=body
        )

    def _trap(self, token: Token) -> nodes.Statement:
        resume = self.scan.pos
        self.skip_newlines()
        one = self.attribute()
        if isinstance(one, nodes.Attribute):
            self.resync(resume)
            one = None
        body = self.statement_block()
        if body is None:
            raise self.error("MissingTrapStatement", token.end if one is None else one.end)
        return nodes.Trap(
            start=token.start,
            end=body.end,
            line=self.line(token.start),
            type="" if one is None else one.type,
            body=body,
        )

    def _data(self, token: Token) -> nodes.Statement:
        self.skip_newlines()
        name = self.simple_name()
        self.skip_newlines()
        last = token.end if name is None else name.end
        if self.peek().kind == "Parameter":
            last = self._supported_commands(self.next())
        body = self.statement_block()
        if body is None:
            raise self.error("MissingStatementBlockForDataSection", last)
        return nodes.DataSection(
            start=token.start,
            end=body.end,
            line=self.line(token.start),
            name="" if name is None else str(name.value),
            body=body,
        )

    def _supported_commands(self, parameter: Token) -> int:
        """The names behind `data -SupportedCommand`; gives where the last one ends."""
        given = str(parameter.value).lower()
        if not given or not "supportedcommand".startswith(given):
            raise self.error("InvalidParameterForDataSectionStatement", parameter.start)
        last = parameter.end
        while True:
            self.skip_newlines()
            command = self.single_argument()
            if command is None:
                raise self.error("MissingValueForSupportedCommandInDataSectionStatement", last)
            comma = self.peek()
            if comma.kind != ",":
                return command.end
            last = self.next().end

    def _function(self, token: Token) -> nodes.Statement:
        self.skip_newlines()
        name = self.next()
        if name.kind in _NO_NAME:
            raise self.error("MissingNameAfterKeyword", token.end)
        self.skip_newlines()
        parameters: list[nodes.Parameter] | None = None
        last = name.end
        if (opened := self.peek()).kind == "(":
            self.next()
            parameters, last = self.parameter_list(opened)
            self.skip_newlines()
        brace = self.next()
        if brace.kind != "{":
            raise self.error("MissingFunctionBody", last)
        script = self.script_block(brace, is_filter=token.kind == "filter")
        if parameters is not None:
            if script.parameters is not None:
                raise self.error("OnlyOneParameterListAllowed", script.parameters.start)
            script.parameters = nodes.ParamBlock(
                start=opened.start,
                end=last,
                line=self.line(opened.start),
                attributes=(),
                parameters=tuple(parameters),
            )
        return nodes.Function(
            start=token.start,
            end=script.end,
            line=self.line(token.start),
            name=name.value if name.kind == "Generic" and name.parts is None else name.text,
            kind=cast("Literal['function', 'filter', 'workflow']", token.kind),
            script=script,
        )

    def _loop(self, token: Token, label: Token | None) -> nodes.Statement:
        raise NotImplementedError
