"""Rules of types and attributes: `[string[]]`, `[Parameter(Mandatory)]`; knows no statement."""

from __future__ import annotations

from starover_lab.powershell import nodes
from starover_lab.powershell.parsing import Rules
from starover_lab.powershell.tokens import Token
from starover_lab.powershell.values import Unsupported

__all__ = ["TypeRules"]


class TypeRules(Rules):
    """Types, attributes and parameter lists."""

    def attributes(self, *, in_expression: bool) -> list[nodes.Attribute | nodes.TypeExpression]:
        """All attributes and types that follow each other; new lines between them count not, save in expressions."""
        found: list[nodes.Attribute | nodes.TypeExpression] = []
        while (one := self.attribute()) is not None:
            found.append(one)
            if not in_expression or isinstance(one, nodes.Attribute):
                self.skip_newlines()
        return found

    def _left_bracket(self) -> Token | None:
        if self.ungot is not None:
            return self.next() if self.ungot.kind == "[" else None
        return self.scan.left_bracket()

    def attribute(self) -> nodes.Attribute | nodes.TypeExpression | None:
        """`[type]` or `[attribute()]`, or None."""
        bracket = self._left_bracket()
        if bracket is None:
            return None
        self.skip_newlines()
        name = self._type_name()
        if name is None:
            raise self.error("MissingTypename", bracket.end)
        closing = self.next()
        line = self.line(bracket.start)
        if closing.kind != "(":
            if closing.kind != "]":
                raise self.before("EndSquareBracketExpectedAtEndOfAttribute", closing)
            return nodes.TypeExpression(start=bracket.start, end=closing.end, line=line, type=name)
        self.skip_newlines()
        with self.mode("expression"), self.commas(separate=True):
            positional, named, last = self._attribute_arguments(closing.end)
        self.skip_newlines()
        if (paren := self.next()).kind != ")":
            raise self.error("MissingEndParenthesisInExpression", last)
        self.skip_newlines()
        if (closing := self.next()).kind != "]":
            raise self.error("EndSquareBracketExpectedAtEndOfAttribute", paren.end)
        return nodes.Attribute(
            start=bracket.start,
            end=closing.end,
            line=line,
            name=name,
            positional=tuple(positional),
            named=tuple(named),
        )

    def _attribute_arguments(self, last: int) -> tuple[list[nodes.Expression], list[nodes.NamedArgument], int]:
        positional: list[nodes.Expression] = []
        named: list[nodes.NamedArgument] = []
        comma: Token | None = None
        seen: set[str] = set()
        while True:
            self.skip_newlines()
            name = self.simple_name()
            value: nodes.Expression | None = None
            if name is not None:
                key = str(name.value)
                if self.peek().kind == "=":
                    equals = self.next()
                    self.skip_newlines()
                    value = self.expression()
                    if value is None:
                        raise self.error("MissingExpressionInNamedArgument", equals.end)
                if key in seen:
                    raise self.error("DuplicateNamedArgument", name.start)
                seen.add(key)
                last = name.end if value is None else value.end
                named.append(nodes.NamedArgument(start=name.start, end=last, line=name.line, name=key, value=value))
            else:
                value = self.expression()
                if value is not None:
                    positional.append(value)
                    last = value.end
                elif comma is not None:
                    raise self.error("MissingExpressionAfterToken", comma.end)
            self.skip_newlines()
            comma = self.peek()
            if comma.kind != ",":
                return positional, named, last
            last = comma.end
            self.next()

    def _type_name(self) -> str | None:
        """The name of a type without the outer brackets, blanks taken out, or None."""
        with self.mode("typename"):
            token = self.next()
            if token.kind != "Identifier":
                self.ungot = token
                return None
            return self._finish_type(token, unbracketed=False)

    def _finish_type(self, name: Token, *, unbracketed: bool) -> str:
        token = self.peek()
        if token.kind == "[":
            self.next()
            self.skip_newlines()
            inner = self.next()
            if inner.kind in ("]", ","):
                return self._dimensions(name.text, inner)
            if inner.kind in ("[", "Identifier"):
                return self._generic_arguments(name.text, inner, unbracketed=unbracketed)
            if inner.kind == "EndOfInput":
                raise self.error("MissingTypename", token.end)
            raise self.error("UnexpectedToken", inner.start)
        if token.kind == "," and not unbracketed:
            raise Unsupported("assembly-qualified type name", self.line(token.start))
        return name.text

    def _generic_argument(self, first: Token) -> str:
        if first.kind == "Identifier":
            return self._finish_type(first, unbracketed=True)
        token = self.next()
        if token.kind != "Identifier":
            raise self.error("MissingTypename", token.end)
        name = self._finish_type(token, unbracketed=False)
        closing = self.next()
        if closing.kind != "]":
            raise self.before("EndSquareBracketExpectedAtEndOfType", closing)
        return name

    def _generic_arguments(self, name: str, first: Token, *, unbracketed: bool) -> str:
        arguments = [self._generic_argument(first)]
        while True:
            self.skip_newlines()
            token = self.next()
            if token.kind != ",":
                break
            self.skip_newlines()
            if self.peek().kind not in ("Identifier", "["):
                raise self.error("MissingTypename", token.end)
            arguments.append(self._generic_argument(self.next()))
        if token.kind != "]":
            raise self.before("EndSquareBracketExpectedAtEndOfAttribute", token)
        full = f"{name}[{','.join(arguments)}]"
        if self.peek().kind == "[":
            self.next()
            return self._dimensions(full, self.next())
        if self.peek().kind == "," and not unbracketed:
            raise Unsupported("assembly-qualified type name", self.line(self.peek().start))
        return full

    def _dimensions(self, name: str, token: Token) -> str:
        while True:
            commas = ""
            while token.kind == ",":
                commas += ","
                last = token
                token = self.next()
                if token.kind not in (",", "]"):
                    raise self.error("EndSquareBracketExpectedAtEndOfAttribute", last.end)
            if token.kind == "EndOfInput":
                raise self.before("EndSquareBracketExpectedAtEndOfAttribute", token)
            if token.kind != "]":
                raise self.error("UnexpectedToken", token.start)
            name = f"{name}[{commas}]"
            following = self.peek()
            if following.kind == ",":
                raise Unsupported("assembly-qualified type name", self.line(following.start))
            if following.kind != "[":
                return name
            self.next()
            token = self.next()

    # -- parameters

    def param_block(self) -> nodes.ParamBlock | None:
        """`param(...)` with its attributes, or None; the caller goes back then."""
        self.skip_newlines()
        attributes = self.attributes(in_expression=False)
        self.skip_newlines()
        keyword = self.peek()
        if keyword.kind != "param":
            return None
        self.next()
        self.skip_newlines()
        opened = self.next()
        if opened.kind != "(":
            # Then it is a command of that name.
            return None
        parameters, end = self.parameter_list(opened)
        for one in attributes:
            if isinstance(one, nodes.TypeExpression):
                raise self.error("TypeNotAllowedBeforeParam", one.start)
        return nodes.ParamBlock(
            start=keyword.start,
            end=end,
            line=self.line(keyword.start),
            attributes=tuple(one for one in attributes if isinstance(one, nodes.Attribute)),
            parameters=tuple(parameters),
        )

    def parameter_list(self, opened: Token) -> tuple[list[nodes.Parameter], int]:
        """Parameters up to and with the closing parenthesis."""
        parameters: list[nodes.Parameter] = []
        comma: Token | None = None
        while True:
            with self.commas(separate=True), self.mode("expression"):
                parameter = self._parameter()
            if parameter is None:
                if comma is not None:
                    raise self.error("MissingExpressionAfterToken", comma.end)
                break
            parameters.append(parameter)
            self.skip_newlines()
            comma = self.peek()
            if comma.kind != ",":
                break
            self.next()
        self.skip_newlines()
        closing = self.next()
        if closing.kind != ")":
            last = parameters[-1].end if parameters else opened.end
            raise self.error("MissingEndParenthesisInFunctionParameterList", last)
        return parameters, closing.end

    def _parameter(self) -> nodes.Parameter | None:
        self.skip_newlines()
        attributes = self.attributes(in_expression=False)
        self.skip_newlines()
        token = self.next()
        if token.kind not in ("Variable", "SplattedVariable"):
            self.ungot = token
            if attributes:
                raise self.error("InvalidFunctionParameter", attributes[-1].end)
            return None
        end = token.end
        default: nodes.Expression | None = None
        self.skip_newlines()
        if self.peek().kind == "=":
            equals = self.next()
            self.skip_newlines()
            default = self.expression()
            if default is None:
                raise self.error("MissingExpressionAfterToken", equals.end)
            end = default.end
        if token.kind == "SplattedVariable":
            raise self.error("SplattingNotPermitted", token.start)
        types = [one for one in attributes if isinstance(one, nodes.TypeExpression)]
        return nodes.Parameter(
            start=attributes[0].start if attributes else token.start,
            end=end,
            line=self.line(token.start),
            name=token.value,
            name_start=token.start,
            types=tuple(one.type for one in types),
            type_starts=tuple(one.start for one in types),
            attributes=tuple(one for one in attributes if isinstance(one, nodes.Attribute)),
            default=default,
        )
