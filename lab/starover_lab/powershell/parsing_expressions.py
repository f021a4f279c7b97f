"""Rules of expressions: operators, literals, members, strings; knows statements only by what `Rules` names."""

from __future__ import annotations

from starover_lab.powershell import nodes
from starover_lab.powershell.parsing import BINARY, UNARY
from starover_lab.powershell.parsing_types import TypeRules
from starover_lab.powershell.tokens import Token

__all__ = ["ExpressionRules"]


class ExpressionRules(TypeRules):
    """Expressions."""

    def expression(self) -> nodes.Expression | None:
        """An expression with its binary operators, by their precedence, or None."""
        with self.mode("expression"):
            first = self._array_literal()
            if first is None:
                return None
            operands = [first]
            operators: list[Token] = []
            while True:
                token = self.peek()
                strength = BINARY.get(token.kind)
                if strength is None:
                    if token.kind == "Parameter":
                        raise self.error("UnexpectedToken", token.start)
                    break
                self.next()
                self.skip_newlines()
                while operators and BINARY[operators[-1].kind] >= strength:
                    self._reduce(operands, operators)
                right = self._array_literal()
                if right is None:
                    raise self.error("ExpectedValueExpression", token.end)
                operands.append(right)
                operators.append(token)
            while operators:
                self._reduce(operands, operators)
            return operands[0]

    @staticmethod
    def _reduce(operands: list[nodes.Expression], operators: list[Token]) -> None:
        right, left, token = operands.pop(), operands.pop(), operators.pop()
        operands.append(
            nodes.Binary(start=left.start, end=right.end, line=left.line, operator=token.kind, left=left, right=right)
        )

    def _array_literal(self) -> nodes.Expression | None:
        first = self.unary()
        if self.no_comma or self.peek().kind != "," or first is None:
            return first
        items = [first]
        while (comma := self.peek()).kind == ",":
            self.next()
            self.skip_newlines()
            item = self.unary()
            if item is None:
                raise self.error("MissingExpressionAfterToken", comma.end)
            items.append(item)
        return nodes.ArrayLiteral(start=first.start, end=items[-1].end, line=first.line, items=tuple(items))

    def unary(self) -> nodes.Expression | None:
        """An operand with its unary operators, or None."""
        old, self.scan.signed = self.scan.signed, True
        if self.ungot is not None and self.ungot.kind in ("-", "+"):
            self.resync(self.ungot.start)
        token = self.peek()
        self.scan.signed = old
        if token.kind in UNARY:
            found = self._prefixed(token)
        elif token.kind == "[":
            found = self._bracketed()
        else:
            found = self.primary(members=True)
        if found is not None and self.peek().kind in ("++", "--"):
            token = self.next()
            found = nodes.Increment(
                start=found.start,
                end=token.end,
                line=found.line,
                operator="++" if token.kind == "++" else "--",
                prefix=False,
                operand=found,
            )
        return found

    def _prefixed(self, token: Token) -> nodes.Expression | None:
        if self.no_comma and token.kind == ",":
            return None
        self.next()
        self.skip_newlines()
        operand = self.unary()
        if operand is None:
            raise self.error("MissingExpressionAfterOperator", token.end)
        start, end, line = token.start, operand.end, self.line(token.start)
        if token.kind == ",":
            return nodes.ArrayLiteral(start=start, end=end, line=line, items=(operand,))
        if token.kind == "++" or token.kind == "--":
            return nodes.Increment(
                start=start,
                end=end,
                line=line,
                operator="++" if token.kind == "++" else "--",
                prefix=True,
                operand=operand,
            )
        operator = "-not" if token.kind == "!" else token.kind
        return nodes.Unary(start=start, end=end, line=line, operator=operator, operand=operand)

    def _bracketed(self) -> nodes.Expression | None:
        """A type by itself, its static member, or a cast with further casts and attributes before it."""
        attributes = self.attributes(in_expression=True)
        last = attributes.pop()
        found: nodes.Expression | None = None
        if isinstance(last, nodes.Attribute):
            self.skip_newlines()
            operand = self.unary()
            if operand is None:
                raise self.error("UnexpectedAttribute", last.start)
            found = self._wrap(last, operand)
        else:
            access = None if self.ungot is not None else self.scan.member_access(brackets=False)
            if access is not None:
                found = self._members(access, last)
            elif self.peek().kind not in ("NewLine", ","):
                operand = self.unary()
                if operand is not None:
                    found = self._wrap(last, operand)
            if found is None:
                found = last
        for one in reversed(attributes):
            found = self._wrap(one, found)
        return found

    @staticmethod
    def _wrap(one: nodes.Attribute | nodes.TypeExpression, operand: nodes.Expression) -> nodes.Expression:
        if isinstance(one, nodes.Attribute):
            return nodes.Attributed(start=one.start, end=operand.end, line=one.line, attribute=one, operand=operand)
        return nodes.Convert(start=one.start, end=operand.end, line=one.line, type=one.type, operand=operand)

    def primary(self, *, members: bool) -> nodes.Expression | None:
        """A literal, a variable, something in brackets; with the members behind it if told so."""
        token = self.next()
        kind = token.kind
        line = self.line(token.start)
        found: nodes.Expression
        if kind in ("Variable", "SplattedVariable"):
            found = nodes.Variable(
                start=token.start, end=token.end, line=line, name=token.value, splatted=kind == "SplattedVariable"
            )
        elif kind == "Number":
            found = nodes.Constant(start=token.start, end=token.end, line=line, value=token.number, text=token.text)
        elif kind in ("StringExpandable", "HereStringExpandable"):
            found = self.expandable(token)
        elif kind in ("StringLiteral", "HereStringLiteral"):
            found = nodes.Constant(
                start=token.start, end=token.end, line=line, value=token.value, single_quoted=True, text=token.text
            )
        elif kind == "(":
            found = self._parenthesised(token)
        elif kind in ("@(", "$("):
            found = self._sub_expression(token)
        elif kind == "@{":
            found = self._hash_literal(token)
        elif kind == "{":
            found = self._script_block_expression(token)
        else:
            self.ungot = token
            return None
        if not members:
            return found
        return self._members(self._access(), found)

    def _access(self) -> Token | None:
        return None if self.ungot is not None else self.scan.member_access(brackets=True)

    def _members(self, access: Token | None, found: nodes.Expression) -> nodes.Expression:
        while access is not None:
            self.skip_newlines()
            found = self._index(found, access) if access.kind == "[" else self._member(found, access)
            access = self._access()
        return found

    def _index(self, target: nodes.Expression, bracket: Token) -> nodes.Expression:
        self.skip_newlines()
        index = self.expression()
        if index is None:
            raise self.error("MissingArrayIndexExpression", bracket.end)
        self.skip_newlines()
        closing = self.next()
        if closing.kind != "]":
            raise self.error("MissingEndSquareBracket", index.end)
        return nodes.Index(start=target.start, end=closing.end, line=target.line, target=target, index=index)

    def _member(self, target: nodes.Expression, access: Token) -> nodes.Expression:
        name: nodes.Expression | None = self.simple_name()
        if name is None:
            token = self.peek()
            name = self.unary() if token.kind in UNARY or token.kind == "[" else self.primary(members=False)
        if name is None:
            raise self.error("MissingPropertyName", access.end)
        static = access.kind == "::"
        opened = None if self.ungot is not None else self.scan.invocation()
        if opened is None:
            return nodes.Member(
                start=target.start, end=name.end, line=target.line, target=target, name=name, static=static
            )
        if opened.kind == "(":
            arguments, end = self._arguments(opened)
        else:
            self.skip_newlines()
            block = self._script_block_expression(opened)
            arguments, end = [block], block.end
        return nodes.Invoke(
            start=target.start,
            end=end,
            line=target.line,
            target=target,
            name=name,
            arguments=tuple(arguments),
            static=static,
        )

    def _arguments(self, opened: Token) -> tuple[list[nodes.Expression], int]:
        arguments: list[nodes.Expression] = []
        comma: Token | None = None
        with self.commas(separate=True):
            while True:
                self.skip_newlines()
                argument = self.expression()
                if argument is None:
                    if comma is not None:
                        raise self.error("MissingExpressionAfterToken", comma.end)
                    break
                arguments.append(argument)
                self.skip_newlines()
                comma = self.peek()
                if comma.kind != ",":
                    break
                self.next()
            self.skip_newlines()
            closing = self.next()
            if closing.kind != ")":
                last = arguments[-1].end if arguments else opened.end
                raise self.error("MissingEndParenthesisInMethodCall", last)
        return arguments, closing.end

    def simple_name(self) -> nodes.Constant | None:
        """A word that is nothing but a name, or None."""
        self.scan.simple_names = True
        token = self.peek()
        self.scan.simple_names = False
        if token.kind != "Identifier":
            return None
        self.next()
        line = self.line(token.start)
        return nodes.Constant(start=token.start, end=token.end, line=line, value=token.text, bare=True, text=token.text)

    def label_or_key(self) -> nodes.Expression | None:
        """The label of `break`, or the key of an entry of a hash literal."""
        name = self.simple_name()
        if name is not None:
            return name
        if self.peek().kind in ("NewLine", ";"):
            return None
        with self.commas(separate=True):
            return self.unary()

    # -- brackets

    def _parenthesised(self, opened: Token) -> nodes.Expression:
        with self.mode("command"), self.commas(separate=False):
            self.skip_newlines()
            inner = self.pipeline()
            if inner is None:
                raise self.error("ExpectedExpression", opened.end)
            self.skip_newlines()
            closing = self.next()
            if closing.kind != ")":
                raise self.error("MissingEndParenthesisInExpression", inner.end)
        return nodes.Paren(start=opened.start, end=closing.end, line=self.line(opened.start), pipeline=inner)

    def _sub_expression(self, opened: Token) -> nodes.Expression:
        with self.mode("command"), self.commas(separate=False):
            self.skip_newlines()
            statements, traps = self.statements()
            self.skip_newlines()
            closing = self.next()
            if closing.kind != ")":
                raise self.error("MissingEndParenthesisInSubexpression", closing.start)
        start, end, line = opened.start, closing.end, self.line(opened.start)
        body = nodes.Block(start=start, end=end, line=line, statements=tuple(statements), traps=tuple(traps))
        if opened.kind == "$(":
            return nodes.SubExpression(start=start, end=end, line=line, body=body)
        return nodes.ArrayExpression(start=start, end=end, line=line, body=body)

    def _hash_literal(self, opened: Token) -> nodes.Expression:
        pairs: list[tuple[nodes.Expression, nodes.Statement]] = []
        self.skip_newlines()
        while (pair := self._pair()) is not None:
            pairs.append(pair)
            if self.peek().kind not in ("NewLine", ";"):
                break
            self.skip_separators()
        closing = self.next()
        if closing.kind != "}":
            raise self.error("MissingEndCurlyBrace", opened.end)
        return nodes.HashLiteral(start=opened.start, end=closing.end, line=self.line(opened.start), pairs=tuple(pairs))

    def _pair(self) -> tuple[nodes.Expression, nodes.Statement] | None:
        with self.mode("expression"):
            key = self.label_or_key()
            if key is None:
                return None
            equals = self.next()
        if equals.kind != "=":
            raise self.error("MissingEqualsInHashLiteral", key.end)
        with self.mode("command"):
            self.skip_newlines()
            value = self.statement()
        if value is None:
            raise self.error("MissingStatementInHashLiteral", equals.end)
        return key, value

    def _script_block_expression(self, opened: Token) -> nodes.ScriptBlockExpression:
        with self.mode("command"), self.commas(separate=False):
            self.skip_newlines()
            script = self.script_block(opened)
        return nodes.ScriptBlockExpression(
            start=opened.start, end=script.end, line=self.line(opened.start), script=script
        )

    # -- strings

    def expandable(self, token: Token) -> nodes.Expression:
        """The expression of a string token with something to expand."""
        line = self.line(token.start)
        if token.parts is None:
            return nodes.Constant(start=token.start, end=token.end, line=line, value=token.value, text=token.text)
        parts: list[str | nodes.Expression] = []
        for part in token.parts:
            if isinstance(part, str):
                parts.append(part)
            elif part[0] == "variable":
                parts.append(nodes.Variable(start=token.start, end=token.end, line=line, name=part[1]))
            else:
                parts.append(self._nested(part[1], part[2]))
        return nodes.Expandable(
            start=token.start, end=token.end, line=line, parts=tuple(parts), bare=token.kind == "Generic"
        )

    def _nested(self, source: str, offset: int) -> nodes.Expression:
        inner = type(self)(source, self.scan.place(offset))
        inner.scan.mode = "expression"
        found = inner.primary(members=True)
        assert found is not None, "a sub-expression begins with $("
        return found
