import Templates
import Testing

struct ErrorTests {
    @Test func `raise_exception delivers the template's own message verbatim`() {
        #expect(throws: TemplateError.raised("Only str: 1 \"allowed\"\n")) {
            try render(#"{% if t %}{{ raise_exception('Only str: ' ~ 1 ~ ' "allowed"\n') }}{% endif %}"#)
        }
        #expect(TemplateError.raised("as it is").description == "as it is")
    }

    @Test(arguments: [
        "{% if t", "{{ 1", "{{ 1 }", "{% endif %}", "{% if t %}", "{% for %}", "{% for i l %}{% endfor %}", "{% foo %}",
        "{{ 1 + }}", "{{ (1 }}", "{{ [1 }}", "{{ 'abc }}", "{# abc", "{% raw %}x", "{{ a b }}", "{{ a..b }}", "{{ }}",
        "{% %}", "{% set %}", "{% set x %}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{{ {1:} }}", "{{ {1} }}",
        "{{ f(a=1, 2) }}", "{{ x is }}", "{{ x | }}", "{{ 1 if }}", "{% else %}", "{% macro %}{% endmacro %}",
        "{% macro m(a=1,b) %}{% endmacro %}", "{{ ] }}", "{{ (] }}", "{{ $ }}", #"{{ 'a\"#, #"{{ '\xzz' }}"#,
        "{% call x %}{% endcall %}", "{% break %}", "{% for i in l %}{% else %}{% break %}{% endfor %}",
        "{% if t %}{% else %}{% elif t %}{% endif %}", "{{ x[] }}", "{{ x[1:2:3:4] }}", "{% include 'x' %}",
    ])
    func `a malformed template is refused before it runs`(source: String) {
        let error = #expect(throws: TemplateError.self) { try ChatTemplate(source: source) }
        guard case .syntax = error else {
            Issue.record("expected a syntax error, not \(String(describing: error))")
            return
        }
    }

    @Test(arguments: [
        "undefined_x.foo", "undefined_x[0]", "undefined_x + 1", "undefined_x < 1", "undefined_x()",
        "undefined_x|tojson",
        "n.x.y", "n + 1", "n|length", #""a" + 1"#, #""a" - "b""#, "[1] + (1,)", #"1 < "a""#, #"n in "abc""#, "1 in 5",
        "1/0", "1//0", "1%0", "1.0/0", #""a"|nofilter"#, #""a" is notest"#, #""a".nomethod()"#, "l.append(3)",
        "d.update({'a':1})", "1()", #""abc".split('')"#, #""abc".index('z')"#, "[1].index(5)", "{[1]:2}",
        "range(1,2,0)",
        "l[::0]", "l['a':]", #""%d" % "a""#, #""%s %s" % "a""#, #""%s" % ("a","b")"#, #""{} {}".format(1)"#,
        #""{:d}".format("a")"#, #""x".join([1])"#, #""abc".startswith(1)"#, #"[3,"a"]|sort"#, "1|list", "none|list",
        "9223372036854775807 + 1", "2**64", "big + 1", #"strftime_now('%Q')"#, "l|batch(0)|list", "l|join(nope=1)",
    ])
    func `an expression that Python refuses is an error of evaluation`(source: String) {
        let error = #expect(throws: TemplateError.self) { try render("{{ \(source) }}") }
        guard case .evaluation(line: 1, _) = error else {
            Issue.record("expected an evaluation error, not \(String(describing: error))")
            return
        }
    }

    @Test func `what is never reached may be anything that parses`() throws {
        #expect(try render("{% if n %}{{ 1|nofilter is notest }}{{ nope() }}{% endif %}ok") == "ok")
    }

    @Test func `errors name the line of the statement, also after a macro of other lines`() {
        let source = "{% macro m() %}\n\nx\n{% endmacro %}\n{{ m() }}\n{{ nope.x }}\n"
        #expect(
            throws: TemplateError.evaluation(
                line: 6, problem: "'nope' is undefined; test it with `is defined` before using it")
        ) { try render(source) }
        #expect(throws: TemplateError.syntax(line: 3, problem: "found %} where an expression should be")) {
            try render("a\n\n{% if %}x{% endif %}")
        }
    }

    @Test func `the time is asked for only where it is given`() throws {
        let template = try ChatTemplate(source: "{{ strftime_now('%Y') }}")
        #expect(try template.render([:], secondsSince1970: 0) == "1970")
        #expect(throws: TemplateError.self) { try template.render([:]) }
    }
}
