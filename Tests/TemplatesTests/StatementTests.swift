import Templates
import Testing

/// Blocks, loops, macros and scopes. Expected texts are Jinja2's own.
struct StatementTests {
    @Test(arguments: [
        ("{% for i in l if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }} {% endfor %}", "1/2:3 2/2:2 "),
        (
            "{% for i in l %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }};{% endfor %}",
            "04TrueFalse;13FalseFalse;22FalseFalse;31FalseTrue;"
        ),
        ("{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}", "<3>1 3<1>2 1<2>1 2<1> "),
        ("{% for i in l %}{{ loop.cycle('a','b') }}{{ loop.changed(i) }}{% endfor %}", "aTruebTrueaTruebTrue"),
        ("{% for i in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for k, v in d.items() %}{{ k }}{% if not loop.last %}, {% endif %}{% endfor %}", "b, a, items"),
        ("{% for (a, b), c in [[[1,2],3],[[4,5],6]] %}{{ a }}{{ b }}{{ c }};{% endfor %}", "123;456;"),
        (
            "{% for i in l %}{% for j in l %}{% if j == 2 %}{% break %}{% endif %}{{ j }}{% endfor %}{{ loop.index }};{% endfor %}",
            "311;312;313;314;"
        ),
        ("{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "32"),
        ("{% for c in 'héy' %}[{{ c }}]{% endfor %}", "[h][é][y]"),
        ("{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }} {% endfor %}", "0assistant 1user "),
    ])
    func `loops know their place`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}", "31211"),
        ("{% for i in l %}{{ x }}{% set x = i %}{% endfor %}{{ x is defined }}", "False"),
        ("{% if t %}{% set x = 5 %}{% endif %}{{ x }}", "5"),
        (
            "{% set ns = namespace(a=1) %}{% for i in l %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b is defined }}",
            "8False"
        ),
        ("{% set a, b = 1, 2 %}{{ b }}{{ a }}", "21"),
        ("{% set x %}a{{ 1+1 }}{% set y = 2 %}{% endset %}{{ x|length }}{{ y is defined }}", "2False"),
        ("{% set x | replace('a','b') | upper %}aa{% endset %}{{ x }}", "BB"),
        ("{% with a=1, b=2 %}{{ a+b }}{% endwith %}{{ a is defined }}", "3False"),
        ("{% filter replace('a','b')|upper %}aa{% endfilter %}", "BB"),
        (
            "{% for m in messages %}{% generation %}{{ m.content }}{{ loop.index }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}{% endfor %}",
            "hi1Falseyo2False"
        ),
    ])
    func `variables live in their block`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        (
            "{% macro m(a, b=2, c='z') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=9) }}{{ m(a=3, b=4) }}{{ m() }}",
            "[12z][129][34z][2z]"
        ),
        ("{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "11"),
        ("{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,x=3) }}", "(1, 2){'x': 3}"),
        ("{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}", "12"),
        ("{% macro m() %}{% set x = 3 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{{ x }}", "31"),
        ("{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(5) }}", "54321"),
        (
            "{% macro w(x) %}{% for i in x %}<{{ caller(i, i*2) }}>{% endfor %}{% endmacro %}{% call(a, b=7) w(l) %}{{ a }}-{{ b }}{% endcall %}",
            "<3-6><1-2><2-4><1-2>"
        ),
        ("{% macro m(a,b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1,2]) }}{{ m(**{'a':1,'b':2}) }}", "1212"),
        ("{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "3121"),
    ])
    func `macros take defaults, names, callers and recursion`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{{ range(2,10,3)|list }}{{ range(5,0,-2)|list }}", "[2, 5, 8][5, 3, 1]"),
        (
            "{% set c = cycler('a','b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}",
            "abaNonea"
        ),
        ("{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}", "3, 1, 2, 1"),
        ("{{ dict(a=1, **{'b': 2}) }}", "{'a': 1, 'b': 2}"),
        ("{{ strftime_now('%d %b %Y') }}", "11 Feb 2026"),
        (
            "{{ strftime_now('%Y-%m-%d %H:%M:%S %p %I %j %y %A %a %B %w %u %U %W %V %G %%') }}",
            "2026-02-11 01:02:03 AM 01 042 26 Wednesday Wed February 3 3 06 06 07 2026 %"
        ),
        (
            "{{ strftime_now('%-d/%-m %e %D %F %T %R %c %x %X %h %Z|%z|%f') }}",
            "11/2 11 02/11/26 2026-02-11 01:02:03 01:02 Wed Feb 11 01:02:03 2026 02/11/26 01:02:03 Feb ||000000"
        ),
    ])
    func `global functions`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }

    @Test(arguments: [
        ("{% if n %}a{% elif e %}b{% elif s %}x{% else %}c{% endif %}", "x"),
        ("{% if 0.0 %}1{% endif %}{% if '' %}2{% endif %}{% if [] %}3{% endif %}{% if ' ' %}y{% endif %}", "y"),
        ("{% if n is not none and n %}x{% else %}y{% endif %}", "y"),
    ])
    func `a block of ifs takes the first branch that holds`(source: String, expected: String) throws {
        #expect(try render(source) == expected)
    }
}
