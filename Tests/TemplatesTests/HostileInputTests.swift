import Templates
import Testing

struct HostileInputTests {
    /// Bounds small enough that each case ends within moments in a debug build.
    private static let tightLimits = TemplateLimits(outputByteCount: 1 << 20, stepCount: 200_000)

    private func expectLimit(_ source: String, limits: TemplateLimits = tightLimits) {
        let error = #expect(throws: TemplateError.self) { try render(source, limits: limits) }
        guard case .limit = error else {
            Issue.record("expected a limit, not \(String(describing: error)), for \(source.prefix(80))")
            return
        }
    }

    @Test(arguments: [
        "{{ range(10**12) }}", "{{ 'a' * 10**9 }}", "{{ [0] * 10**9 }}", "{{ 10**9 * 'ab' }}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}",
        "{% set x = 'a' * 1000000 %}{% for a in range(99999) %}{% if 'b' in x %}{% endif %}{% endfor %}",
        "{{ ('a' * 100000).replace('a', 'b' * 100000) }}", "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
        "{{ ('b' * 100000).join(range(100)|map('string')) }}", "{{ 'a'.center(10**12) }}", "{{ 'a'.zfill(10**15) }}",
        "{{ 'a'|indent(10**9) }}", "{{ [1]|tojson(indent=10**9) }}", "{{ l|batch(10**9, 'x')|list }}",
        "{{ l|slice(10**9)|list }}", "{{ 'a'|center(10**9) }}",
    ])
    func `work and memory are bounded`(source: String) {
        expectLimit(source)
    }

    @Test(arguments: [
        "{{ '%1000000d' % 1 }}", "{{ '%.1000000f' % 1.0 }}", "{{ '{:1000000000}'.format(1) }}", "{{ 10**99 }}",
    ])
    func `absurd widths and powers are refused`(source: String) {
        #expect(throws: TemplateError.self) { try render(source) }
    }

    @Test(arguments: [
        ("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("{'a':", "}"), ("a[", "]"), ("f(", ")"), ("1 if 1 else ", ""),
        ("x is in (", ")"), ("x|f(", ")"),
    ])
    func `brackets and prefixes nested without end are refused`(open: String, close: String) {
        let source = String(repeating: open, count: 50_000) + "1" + String(repeating: close, count: 50_000)
        expectLimit("{{ \(source) }}")
    }

    @Test(arguments: ["if t", "for i in l", "filter upper", "with", "macro m()", "set x", "generation"])
    func `blocks nested without end are refused`(tag: String) {
        expectLimit(String(repeating: "{% \(tag) %}", count: 20_000))
    }

    @Test(arguments: [" + 1", " ~ 1", " * 1", " and 1", " or 0", " == 1", "|string", ".x", "[0]", " is defined"])
    func `long chains need no stack`(link: String) throws {
        let source = "{{ 1" + String(repeating: link, count: 20_000) + " }}"
        do {
            _ = try render(source)
        } catch TemplateError.evaluation, TemplateError.syntax {
            // Some links make no sense twice; what counts is that the process goes on.
        }
        let branches = String(repeating: "{% elif n %}b", count: 20_000)
        #expect(try render("{% if n %}a\(branches)\(link){% else %}c{% endif %}") == "c")
    }

    @Test(arguments: [
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a(x) %}{% if t %}{% for i in l %}{{ [b(x + 1)] }}{% endfor %}{% endif %}{% endmacro %}"
            + "{% macro b(x) %}{% filter upper %}{{ ('<' ~ a(x))|trim }}{% endfilter %}{% endmacro %}{{ a(0) }}",
        "{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}",
        "{% macro m() %}{{ [[[[[[[[[[[[[[[[{'a': not -(m() + 1)}]]]]]]]]]]]]]]]] }}{% endmacro %}{{ m() }}",
        "{% macro m() %}{% with x = m(*[m()], **{'a': m()}) %}{% endwith %}{% endmacro %}{{ m() }}",
        "{% macro m(x) %}{% set x %}{{ l|map('string')|list + [1 if m(m(m(1)))[m()] else 2] }}{% endset %}{% endmacro %}"
            + "{{ m() }}",
        "{% macro m(x=m()) %}{% endmacro %}{{ m() }}",
    ])
    func `macros that call themselves without end are stopped`(source: String) {
        expectLimit(source)
    }

    @Test func `macros may call themselves as deep as any schema goes`() throws {
        let source = """
            {% macro m(s) %}{% if s.type == 'array' %}{% if s.items_ is defined %}list[{{ m(s.items_) }}]{% endif %}{% else %}\
            {{ s.type }}{% endif %}{% endmacro %}{{ m(v) }}
            """
        var schema: TemplateValue = ["type": "string"]
        for _ in 0..<50 { schema = ["type": "array", "items_": schema] }
        let expected = String(repeating: "list[", count: 50) + "string" + String(repeating: "]", count: 50)
        #expect(try ChatTemplate(source: source).render(["v": schema]) == expected)
    }

    @Test(arguments: [
        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x={}) %}{% for i in range(5000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(5000) %}{% set ns.x = ns.x|batch(1)|list %}"
            + "{% set ns.x = [ns.x].count %}{% set ns.x = [ns.x] %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
    ])
    func `values nested in themselves or shared without end are stopped`(source: String) {
        expectLimit(source)
    }

    @Test func `a namespace that holds itself prints and goes`() throws {
        #expect(try render("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}") == "[<namespace>]")
    }

    @Test func `sources and variables beyond the limits are refused`() throws {
        let limits = TemplateLimits(sourceByteCount: 10)
        #expect(throws: TemplateError.self) { try ChatTemplate(source: "12345678901", limits: limits) }
        var value: TemplateValue = []
        for _ in 0..<200 { value = .list(TemplateList([value])) }
        let template = try ChatTemplate(source: "{{ v }}")
        #expect(throws: TemplateError.self) { try template.render(["v": value]) }
    }

    @Test func `searching is linear where naive search is not`() throws {
        let source = "{{ ('a' * 50000 ~ 'b') in ('a' * 100000) }}{{ ('a' * 100000).count('a' * 50000 ~ 'b') }}"
        #expect(try render(source) == "False0")
    }
}
