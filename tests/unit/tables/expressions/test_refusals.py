"""What is no expression: told with code, place, the text and a caret; nothing else gets through."""

from __future__ import annotations

import pytest

from artstore.errors import InvalidInputError
from artstore.tables.expressions import parse_aggregate, parse_condition, parse_value
from tests.unit.tables.expressions.evaluating import scope, values


def refused(text: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        parse_value(text, scope())
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "(SELECT 1)",
        "guess IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "1 = ANY (SELECT 1)",
        "guess = (TABLE other)",
        "SELECT 1",
        "1; DROP TABLE x",
        "1;",
        "DROP TABLE x",
        "COPY x TO 'file'",
        "ATTACH 'file'",
        "PRAGMA x",
        "1 -- all",
        "/* all */ 1",
        "guess /* all */ = 1",
        "read_csv('file')",
        "read_parquet('s3://bucket/*')",
        "read_text('/etc/passwd')",
        "read_blob('x')",
        "glob('*')",
        "getenv('HOME')",
        "current_setting('x')",
        "query('SELECT 1')",
        "nextval('x')",
        "random()",
        "now()",
        "sleep_ms(1)",
        "range(1000000000)",
        "generate_series(1, 1000000000)",
        "repeat('x', 1000000000)",
        "replace(name, 'a', 'b')",
        "unnest(tags)",
        "sum(guess)",
        "count(*)",
        "row_number() OVER ()",
        "sum(guess) OVER (PARTITION BY name)",
        "max(guess) FILTER (WHERE seen)",
        "*",
        "t0.*",
        "COLUMNS('x')",
        "?",
        "$1",
        ":name",
        "@x",
        "#1",
        "guess ** 2",
        "guess ^ 2",
        "guess // 2",
        "guess & 1",
        "guess << 1",
        "~guess",
        "name ~ 'x'",
        "name GLOB '*'",
        "name SIMILAR TO 'x'",
        "name COLLATE nocase",
        "INTERVAL 1 DAY",
        "(1, 2)",
        "{'a': 1}.a",
        "MAP {'a': 1}",
        "[x for x in tags]",
        "tags[1:2]",
        "guess AS other",
        "guess other",
        "CAST(guess AS STRUCT(a INT))",
        "CAST(guess AS DECIMAL(10, 2))",
        "CAST(guess AS INT[])",
        "CAST(guess AS BLOB)",
        "schema.abs(guess)",
        "name.upper()",
        "abs(x := 1)",
        "list_filter(tags, 1)",
        "list_filter(tags)",
        "list_filter(tags, (x, i) -> true)",
        "list_filter(tags, lambda x: true) OVER ()",
        "e'x'",
        "$$x$$",
        "x'00'",
        "'a' 'b'",
        "guess NOT",
        "name LIKE",
        "CASE guess + 1 WHEN 3 THEN 1 END",
        "guess IS 3",
        "DISTINCT guess",
        "guess ORDER BY 1",
        "guess LIMIT 1",
        "guess FROM other",
        "guess UNION SELECT 1",
        "VALUES (1)",
    ],
)
def test_sql_outside_of_the_list_is_refused(text: str) -> None:
    error = refused(text)
    assert error.code in ("expression-invalid", "expression-type-invalid", "column-unknown")
    assert 0 <= error.context["position"] <= len(text)


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("score > (SELECT 1)", 9, "a subquery (SELECT) is not allowed"),
        ("score > 1; DROP TABLE x", 9, "';' is not allowed"),
        ("score > 1 -- x", 10, "a comment is not allowed"),
        ("score > foo(1)", 8, "the function 'foo' is not allowed"),
        ("score > sum(guess)", 8, "is an aggregate"),
        ("score > $1", 8, "a parameter is not allowed"),
        ("score ** 2", 6, "'**' is not allowed"),
        ("score > ", 7, "a value is missing behind '>'"),
        ("(score > 1", 0, "'(' is not closed"),
        ("score > 1)", 9, "')' closes nothing"),
        ("score > [1)", 10, "')' closes nothing"),
        ("score > 'abc", 8, "does not end"),
        ('"score > 1', 0, "does not end"),
        ("score & 1", 0, "bitwise and is not allowed"),
        ("score 1", 6, "'1' does not fit here"),
        ("abs(score, 1)", 0, "abs takes 1 argument, not 2"),
        ("score > 1e999", 8, "larger than any"),
        ("name LIKE 'a' ESCAPE 'ab'", 21, "one character"),
        ("name LIKE 'a!' ESCAPE '!'", 22, "ends with the character of ESCAPE"),
        ("regexp_matches(name, '(')", 21, "RE2 does not take"),
        ("regexp_matches(name, 'a', 'z')", 26, "the options"),
        ("substring(name, 0)", 16, "from 1 on"),
        ("round(score, 99)", 13, "from 0 to 20"),
        ("list_filter(tags, x -> y = 1)", 23, "there is no column 'y'"),
        ("tags[99999999999]", 5, "no list is so long"),
        ("   ", 0, "nothing but space"),
        ("name = 'a\0b'", 9, "NUL"),
        ("name = '\ud800'", 8, "surrogate"),
        ("if(seen)", 0, "if takes a condition"),
        ("CAST('2024-02-30' AS DATE)", 5, "is not a date"),
    ],
)
def test_sql_is_told_with_its_place(text: str, position: int, why: str) -> None:
    error = refused(text)
    assert why in error.message
    assert error.context["position"] == position


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("{$foo: 1}", 1, "there is no operator $foo"),
        ("{$gt: ['$score']}", 1, "$gt takes 2 arguments, not 1"),
        ("{$first: ['$tags', 1]}", 1, "$first takes 1 argument, not 2"),
        ("{$gt: [1 2]}", 9, "',' or ']' is wanted here, not '2'"),
        ("{$gt: [1, 2]", 12, "} is missing at the end"),
        ("{$gt [1, 2]}", 5, "':' is missing behind the key '$gt'"),
        ("{$gt: [1, cat]}", 10, "'cat' is not a value"),
        ("{$gt: [1, 'cat]}", 10, "does not end"),
        ("{$gt: [1, 2]} 3", 14, "stands behind the end"),
        ("{$gt: [1, 2], $lt: [1, 2]}", 14, "one operator"),
        ("{$and: [{}]}", 8, "says nothing"),
        ("{$gt: [1, 1x]}", 10, "ends in letters"),
        ("{$gt: [1, 1e999]}", 10, "larger than any"),
        ("{$gt: [1, '\\q']}", 11, "no escape"),
        ("{$gt: [1, '\\u12']}", 11, "four hex digits"),
        ("{$gt: [1, '\\u0000']}", 11, "NUL"),
        ("{$gt: [1, '\\ud800']}", 11, "surrogate"),
        ("{a: 1, a: 2}", 7, "twice"),
        ("{$eq: ['$', 1]}", 7, "no path"),
        ("{$eq: ['$a..b', 1]}", 7, "no path"),
        ("{$eq: ['$$x', 1]}", 10, "there is no variable 'x'"),
        ("{$filter: {input: '$tags', cond: true, extra: 1}}", 39, "no argument 'extra'"),
        ("{$filter: {input: '$tags'}}", 10, "lacks 'cond'"),
        ("{$filter: ['$tags', true]}", 10, "takes an object"),
        ("{$filter: {input: '$tags', as: 'a b', cond: true}}", 31, "a name is wanted"),
        ("{$regexMatch: {input: '$name', regex: '('}}", 38, "RE2 does not take"),
        ("{$regexMatch: {input: '$name', regex: '$name'}}", 38, ""),
        ("{$substrCP: ['$name', -1, 2]}", 22, "from 0 on"),
        ("{$date: 5}", 8, "a date is text here"),
        ("{$exists: ['$guess', 1]}", 21, "true or false"),
        ("{$in: ['$guess', ['$truth', null]]}", 20, "null stands beside options"),
        ("{$cond: [true, 1]}", 1, "$cond takes 3 arguments, not 2"),
        ("{$switch: {branches: []}}", 21, "a list of branches"),
        ("{$eq: [{width: 1}, 2]}", 8, "an operator is wanted here"),
        ("{guess: 1,, }", 10, "a key is wanted"),
    ],
)
def test_mongo_is_told_with_its_place(text: str, position: int, why: str) -> None:
    try:
        parse_value(text, scope())
    except InvalidInputError as error:
        assert why
        assert why in error.message
        assert error.context["position"] == position
    else:
        assert not why


@pytest.mark.parametrize(
    ("text", "position", "why"),
    [
        ("score > 'x'", 8, "a number and text cannot be compared"),
        ("name > 5", 7, "text and a number cannot be compared"),
        ("day > 5", 6, "a date or time and a number"),
        ("day > name", 6, "a date or time and text"),
        ("day > 'soon'", 6, "'soon' is not a date or time"),
        ("seen = 1", 7, "true or false and a number"),
        ("tags = tags", 0, "a list cannot be compared"),
        ("image = image", 0, "a struct cannot be compared"),
        ("seen AND coalesce(NULL, guess, true)", 31, "a number and true or false"),
        ("score > 1 AND score > false", 22, "a number and true or false"),
        ("guess AND seen", 0, "true or false is wanted here, not a number"),
        ("name + 1", 0, "a number is wanted here, not text"),
        ("lower(guess)", 6, "text is wanted here, not a number"),
        ("len(guess)", 4, "text or a list is wanted here, not a number"),
        ("list_contains(tags, 1)", 20, "text and a number"),
        ("list_sum(tags)", 9, "a list of a number is wanted here, not of text"),
        ("tags[0.5]", 5, "a whole number is wanted here"),
        ("tags['x']", 5, "has no fields"),
        ("name LIKE name", 10, "text that is written out"),
        ("round(score, guess)", 13, "a whole number written out"),
        ("[1, 'a']", 4, "do not make one result"),
        ("coalesce(tags, [1])", 16, "do not make one result"),
        ("CASE WHEN guess THEN 1 END", 10, "true or false is wanted"),
        ("CAST(tags AS VARCHAR)", 5, "cannot be made into"),
        ("score BETWEEN 1 AND 'x'", 20, "cannot be compared"),
        ("list_filter(tags, x -> x)", 23, "true or false is wanted here, not text"),
        ("{$gt: ['$score', 'x']}", 17, "a number and text cannot be compared"),
        ("{$size: '$guess'}", 10, "a list is wanted here, not a number"),
        ("{$and: ['$guess']}", 10, "true or false is wanted here, not a number"),
        ("{$filter: {input: '$guess', cond: true}}", 20, "a list is wanted"),
        ("{score: 'x'}", 8, "cannot be compared"),
        ("{tags: {$gt: 'a'}}", 13, "a list and text"),
        ("year(name)", 5, "a date or time is wanted here, not text"),
    ],
)
def test_kinds_that_do_not_fit_are_told_before_a_row_is_read(
    text: str, position: int, why: str
) -> None:
    error = refused(text)
    assert why in error.message
    assert error.code in ("expression-type-invalid", "column-unknown")
    assert error.context["position"] == position


def test_a_condition_gives_true_or_false() -> None:
    for text in ("score + 1", "{$add: ['$score', 1]}", "name", "'true'"):
        with pytest.raises(InvalidInputError, match="a condition gives true or false") as caught:
            parse_condition(text, scope())
        assert caught.value.code == "expression-type-invalid"


def test_the_message_has_the_text_and_a_caret() -> None:
    assert refused("guess >\n  scor AND\nseen").message == (
        "cannot use the expression: there is no column 'scor'\n      scor AND\n      ^"
    )


def test_a_long_line_is_cut_around_the_caret() -> None:
    text = "guess > 1 AND " * 30 + "scor > 1" + " AND guess > 1" * 30
    _, line, caret = refused(text).message.split("\n")
    assert len(line) < 120
    assert line[caret.index("^") :].startswith("scor > 1")
    assert line.strip().startswith("...")
    assert line.endswith("...")


def test_what_would_move_the_caret_or_the_terminal_is_shown_as_space() -> None:
    message = refused("guess >\t'\x1b[31m' AND scor").message
    assert "\x1b" not in message
    _, line, caret = message.split("\n")
    assert line[caret.index("^") :] == refused("scor").message.split("\n")[1].strip() or line


def test_the_nearest_names_are_the_hint() -> None:
    assert refused("socre > 1").hint == "did you mean score?"
    assert refused("lenght(name)").hint == "did you mean length or len?"
    assert refused("{$gtt: [1, 2]}").hint in ("did you mean $gt?", "did you mean $gt or $gte?")
    assert refused("guess ^ 2").hint == "write pow(a, b)"


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE x; --",
        "' OR '1'='1",
        "\\'; SELECT 1",
        '"; DROP TABLE x; --',
        "{$gt: 1}",
        "%_\\",
        "\u2028\u202e",
        "a\nb",
    ],
)
def test_text_stays_text(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert values(quoted)[0] == text
    assert values({"$literal": text})[0] == text
    assert values({"$concat": [{"$literal": text}, "!"]})[0] == f"{text}!"
    assert values(f"name LIKE {quoted}")[0] is False
    assert values({"$in": [{"$literal": text}, "$tags"]})[0] is False


def test_what_is_neither_text_nor_a_dict_is_refused() -> None:
    for value in (None, 5, b"seen", ["seen"]):
        for parse in (parse_condition, parse_value, parse_aggregate):
            with pytest.raises(InvalidInputError, match="an expression is text or a dict"):
                parse(value, scope())  # type: ignore[arg-type]


def test_values_that_json_has_not_are_refused() -> None:
    for value in (b"x", {1, 2}, object(), 1j, 10**400):
        with pytest.raises(InvalidInputError) as caught:
            parse_value({"$eq": ["$guess", value]}, scope())
        assert caught.value.code == "expression-invalid"
    with pytest.raises(InvalidInputError):
        parse_value({"$eq": ["$guess", {1: 2}]}, scope())
