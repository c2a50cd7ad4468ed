import Templates
import Testing

/// Methods of strings, lists and mappings. Expected texts are Jinja2's own.
struct MethodTests {
    @Test(arguments: [
        (#""a,b,,c".split(',')"#, "['a', 'b', '', 'c']"),
        (#""a,b,,c".rsplit(',', 1)"#, "['a,b,', 'c']"),
        (#"" a  b c ".split()"#, "['a', 'b', 'c']"),
        (#"" a  b c ".split(none, 1)"#, "['a', 'b c ']"),
        (#"" a  b c ".rsplit(none, 1)"#, "[' a  b', 'c']"),
        (#""aaa".rsplit("aa",1)"#, "['a', '']"),
        (#""aXbXc".partition('X')"#, "('a', 'X', 'bXc')"),
        (#""aXbXc".rpartition('X')"#, "('aXb', 'X', 'c')"),
        (#""abc".rpartition('X')"#, "('', '', 'abc')"),
        ("crlf.splitlines()", "['a', 'b', 'c']"),
        ("crlf.splitlines(true)", #"['a\r\n', 'b\r', 'c\n']"#),
        (#""a-b".join(["x","y"])"#, "xa-by"),
        (#""<think>x</think>\n\ny".split('</think>')[-1].lstrip('\n')"#, "y"),
    ])
    func `splitting and joining`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        ("[ws.strip(), ws.lstrip(), ws.rstrip()]", #"['a b  c', 'a b  c \n\n', '  \n a b  c']"#),
        (#""xyabcyx".lstrip("xy") ~ "xyabcyx".rstrip("xy")"#, "abcyxxyabc"),
        (#""\u00a0x\u3000".strip()"#, "x"),
        (#""-42".zfill(6)"#, "-00042"),
        (#""abc".ljust(5,'.') ~ "abc".rjust(5) ~ "abc".center(6,'*')"#, "abc..  abc*abc**"),
        (#""abcd".center(7,'*')"#, "**abcd*"),
        (#""hello wOrld it's 3rd".title()"#, "Hello World It'S 3Rd"),
        (#""hELLO ß".swapcase()"#, "Hello SS"),
        (#""abc".removeprefix("a").removesuffix("c")"#, "b"),
    ])
    func `stripping, padding and case`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        (#""abc".startswith(("x","ab"))"#, "True"),
        (#""abc".startswith("b", 1)"#, "True"),
        (#""abc".endswith(("x","y"))"#, "False"),
        (#""äbc🙂d".find("d")"#, "4"),
        (#""abcabc".rfind("b")"#, "4"),
        (#""abcabc".find("b", -2)"#, "4"),
        (#""abc".find("z")"#, "-1"),
        (#""aaa".count("aa")"#, "1"),
        (#""abc".count("")"#, "4"),
        ("[1,2,1].count(1)", "2"),
        ("[1,2,1].index(2)", "1"),
        (#""aaa".replace('aa','b')"#, "ba"),
    ])
    func `searching`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        (#""123".isdigit() and "12a".isalnum() and "abc".isalpha() and " ".isspace()"#, "True"),
        (#""".isdigit()"#, "False"),
        (#""ABC".isupper() and "abc1".islower()"#, "True"),
    ])
    func `tests of characters`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        (#""{} {}".format(1, "a")"#, "1 a"),
        (#""{0} {1} {0}".format("x", "y")"#, "x y x"),
        (#""{a}-{b!r}".format(a=1, b="s")"#, "1-'s'"),
        (
            #""{:>8}|{:<8}|{:^8}|{:08.3f}|{:,}|{:x}|{:+d}|{:.1%}".format("a","b","c",3.14159,1234567,255,5,0.256)"#,
            "       a|b       |   c    |0003.142|1,234,567|ff|+5|25.6%"
        ),
        (#""{{}} {:5}|{:5}".format(1,"a")"#, "{}     1|a    "),
        (#""{:.2f}".format(2)"#, "2.00"),
    ])
    func `formatting`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        ("d.keys()|list", "['b', 'a', 'items']"),
        ("d.values()|list", "[1, {'x': [1, 2, {'y': 'z'}]}, 'I']"),
        ("d.items()|map('first')|list", "['b', 'a', 'items']"),
        ("dict(d, z=1)|length", "4"),
        ("dict([('a',1),['b',2]])", "{'a': 1, 'b': 2}"),
    ])
    func `mappings`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }
}
