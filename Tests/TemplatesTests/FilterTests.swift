import Templates
import Testing

/// Filters as chat templates use them. Expected texts are Jinja2's own.
struct FilterTests {
    @Test(arguments: [
        ("d|tojson", #"{"b": 1, "a": {"x": [1, 2, {"y": "z"}]}, "items": "I"}"#),
        ("s|tojson", #""Hello, Wörld 🙂 <b>\n second  line\t""#),
        ("html|tojson", #""<a href=\"x\">'&'</a>""#),
        (
            "u|tojson(indent=2)",
            "[\n  {\n    \"name\": \"Bob\",\n    \"age\": 3,\n    \"tags\": [\n      \"x\",\n      \"y\"\n    ]\n  },\n  {\n    \"name\": \"alice\",\n    \"age\": 1,\n    \"tags\": []\n  },\n  {\n    \"name\": \"Carl\",\n    \"age\": 2\n  }\n]"
        ),
        (
            "d|tojson(ensure_ascii=true, indent=4)",
            "{\n    \"b\": 1,\n    \"a\": {\n        \"x\": [\n            1,\n            2,\n            {\n                \"y\": \"z\"\n            }\n        ]\n    },\n    \"items\": \"I\"\n}"
        ),
        ("s|tojson(ensure_ascii=True)", #""Hello, W\u00f6rld \ud83d\ude42 <b>\n second  line\t""#),
        ("d|tojson(separators=(',',':'), sort_keys=true)", #"{"a":{"x":[1,2,{"y":"z"}]},"b":1,"items":"I"}"#),
        ("[[],{}]|tojson(indent=2)", "[\n  [],\n  {}\n]"),
        ("[1.0, 1e16, none, true, big]|tojson", "[1.0, 1e+16, null, true, 12345678901234567890123]"),
        (#""\u2028\x00\x1f\x7f"|tojson"#, "\"\u{2028}\\u0000\\u001f\u{7F}\""),
        ("{1:2, none:3, 1.5: 5}|tojson", #"{"1": 2, "null": 3, "1.5": 5}"#),
        ("(1,2)|tojson", "[1, 2]"),
    ])
    func `tojson writes what Python's json.dumps writes`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        ("s|upper", "HELLO, WÖRLD 🙂 <B>\n SECOND  LINE\t"),
        (#""ß"|upper"#, "SS"),
        (#""hello-world (foo) it's"|title"#, "Hello-World (Foo) It's"),
        (#""hello wOrld"|capitalize"#, "Hello world"),
        ("ws|trim", "a b  c"),
        (#""xxabcxx"|trim("x")"#, "abc"),
        (#""abcabc"|replace('a','X',1)"#, "Xbcabc"),
        (#""abc"|replace('','-')"#, "-a-b-c-"),
        (#""foo\nbar\n\nbaz"|indent(2,true)"#, "  foo\n  bar\n\n  baz"),
        (#""foo\nbar\n\nbaz"|indent('>>', blank=true)"#, "foo\n>>bar\n>>\n>>baz"),
        ("html|e", "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;"),
        ("words|wordcount", "5"),
        ("words|truncate(10)", "the..."),
        (#""foo"|center(10) ~ "|""#, "   foo    |"),
        (
            #""%s-%d-%.2f-%5s|%-5s|%05d|%x|%r"|format("a", 3, 2.345, "b", "c", 42, 255, "q")"#,
            "a-3-2.35-    b|c    |00042|ff|'q'"
        ),
        (#""%(a)s %(b)03d" % {'a':1,'b':2}"#, "1 002"),
    ])
    func `text filters`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        (#""42"|int + "4.7"|int"#, "46"),
        (#""x"|int(5)"#, "5"),
        (#""0x1f"|int(0,16)"#, "31"),
        (#""1e3"|float"#, "1000.0"),
        ("none|int", "0"),
        ("undefined_x|default('x')", "x"),
        ("none|default('x')", "None"),
        ("''|d('x', boolean=true)", "x"),
        ("2.5|round", "2.0"),
        ("2.675|round(2)", "2.67"),
        ("1.115|round(2)", "1.11"),
        ("2.1|round(0,'ceil')", "3.0"),
        ("1234|round(-2)", "1200"),
        ("-5.5|abs", "5.5"),
        ("l|string", "[3, 1, 2, 1]"),
        ("3.99|int", "3"),
    ])
    func `conversions and numbers`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        ("l|join(', ')", "3, 1, 2, 1"),
        ("u|join('-', attribute='name')", "Bob-alice-Carl"),
        ("s|reverse", "\tenil  dnoces \n>b< 🙂 dlröW ,olleH"),
        ("l|sort(reverse=true)", "[3, 2, 1, 1]"),
        (#"["b","A","c"]|sort"#, "['A', 'b', 'c']"),
        (#"["b","A","c"]|sort(case_sensitive=true)"#, "['A', 'b', 'c']"),
        (#"["b","A","a","B"]|unique|list"#, "['b', 'A']"),
        ("u|max(attribute='age')", "{'name': 'Bob', 'age': 3, 'tags': ['x', 'y']}"),
        ("l|min", "1"),
        ("u|sum(attribute='age', start=10)", "16"),
        ("d|dictsort|first", "('a', {'x': [1, 2, {'y': 'z'}]})"),
        ("{'b':1,'A':2,'c':0}|dictsort(by='value')", "[('c', 0), ('b', 1), ('A', 2)]"),
        ("l|batch(3,'x')|list", "[[3, 1, 2], [1, 'x', 'x']]"),
        ("l|slice(3)|list", "[[3, 1], [2], [1]]"),
        ("d|list", "['b', 'a', 'items']"),
        (#""ab"|list"#, "['a', 'b']"),
        ("[]|first is defined", "False"),
        ("d|items|first", "('b', 1)"),
    ])
    func `filters on sequences`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        ("u|map(attribute='name')|join(',')", "Bob,alice,Carl"),
        ("u|map(attribute='tags', default='none')|list", "[['x', 'y'], [], 'none']"),
        ("u[:2]|map(attribute='tags.0')|list", "['x', Undefined]"),
        (#"["a ","b"]|map('trim')|list"#, "['a', 'b']"),
        ("l|map('string')|join('+')", "3+1+2+1"),
        ("l|select('odd')|list", "[3, 1, 1]"),
        ("l|select('>', 1)|list", "[3, 2]"),
        ("[0,1,'',none,'a']|reject|list", "[0, '', None]"),
        ("u|selectattr('age', 'gt', 1)|map(attribute='name')|list", "['Bob', 'Carl']"),
        ("u|rejectattr('tags')|map(attribute='name')|list", "['alice', 'Carl']"),
        ("messages|selectattr('role','equalto','user')|list", "[{'role': 'user', 'content': 'hi'}]"),
        ("u|sort(attribute='age,name')|map(attribute='name')|list", "['alice', 'Carl', 'Bob']"),
    ])
    func `filters that select and map`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }

    @Test(arguments: [
        (#""a" ~ "b"|upper"#, "aB"),
        ("-1|abs", "1"),
        ("(s|upper)[0]", "H"),
        ("l|length-1", "3"),
        ("'x' + ' y ' | trim + 'z'", "xyz"),
    ])
    func `filters bind tighter than operators`(source: String, expected: String) throws {
        #expect(try render("{{ \(source) }}") == expected)
    }
}
