import TestSupport
import Templates
import Testing

/// A crash or a hang of the interpreter is one of this process, so every run here that ends is a result.
struct FuzzTests {
    private static let limits = TemplateLimits(outputByteCount: 1 << 16, stepCount: 20_000)

    private static let seeds = [
        "{% for m in messages %}{{ m.role|upper ~ m['content'][1:] }}{% if loop.last %}{{ 1 // 2 ** 3 }}{% endif %}{% endfor %}",
        "{% macro m(a, b=2) %}{{ a + b }}{{ caller() if caller }}{% endmacro %}{% call m(1) %}x{% endcall %}{{ m(*l) }}",
        "{% set ns = namespace(x=[1, 2.5, 'a']) %}{% set ns.x = ns.x[::-1] %}{{ ns.x|map('string')|join(', ') }}",
        "{%- set a, b = (1, 'x') -%} {{ {'k': a, b: none}|tojson(indent=2) }} {# note #}{% raw %}{{ }}{% endraw %}",
        "{{ '%s %05.2f'|format(s, f) }}{{ '{:>5}'.format(l[0]) }}{{ u|selectattr('age', 'gt', 1)|list }}{{ words.split()[-1] }}",
    ]

    private static let fragments: [[UInt8]] = [
        "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "(", ")", "[", "]", "{", "}", "|", ".", ":", ",", "'", "\"", "\\",
        "**",
        "//", "%", "~", " is ", " in ", " not ", " if ", " else ", " for ", "set ", "endfor", "endif", "macro ", "loop",
        "ns",
        "0", "-1", "9223372036854775807", "1e308", "99999", "none", "namespace()", "range(9)", "messages", "l", "s",
        "d",
        "|list", "|tojson", "|sort", "|join", "|int", "|round(400)", "[::-1]", ".x", "()", "\n", " ", "é", "🙂", "\u{0}",
    ].map { Array($0.utf8) }

    /// One to eight small changes: bytes altered, removed, repeated or moved, fragments put in.
    private static func mutated(_ source: String, _ generator: inout SeededGenerator) -> String {
        var bytes = Array(source.utf8)
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            guard !bytes.isEmpty else { break }
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, place + Int.random(in: 1...24, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 3:
                let target = Int.random(in: 0..<bytes.count, using: &generator)
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: target)
            default: bytes.insert(contentsOf: fragments.randomElement(using: &generator) ?? [], at: place)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Renders and says whether that gave text; anything but a `TemplateError` cannot come out.
    private static func ends(_ source: String) -> Bool {
        do throws(TemplateError) {
            let text = try render(source, limits: limits)
            return text.utf8.count <= limits.outputByteCount
        } catch {
            return !error.description.isEmpty
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `mutated templates end with text or an error`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let sources = Self.seeds + (seed % 4 == 0 ? Fixtures.templates : [])
        for source in sources {
            for _ in 0..<(source.utf8.count > 1000 ? 30 : 120) {
                let mutant = Self.mutated(source, &generator)
                #expect(Self.ends(mutant), "\(mutant)")
            }
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `templates of random fragments end with text or an error`(seed: UInt64) {
        var generator = SeededGenerator(seed: 1000 + seed)
        for _ in 0..<1000 {
            var bytes = Array("{{ ".utf8)
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                bytes += Self.fragments.randomElement(using: &generator) ?? []
            }
            let source = String(decoding: bytes, as: UTF8.self)
            #expect(Self.ends(source + " }}"), "\(source)")
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `mutated JSON ends with a value or an error`(seed: UInt64) {
        var generator = SeededGenerator(seed: 2000 + seed)
        for _ in 0..<500 {
            let mutant = Self.mutated(sampleContext, &generator)
            guard let value = try? TemplateValue(json: mutant) else { continue }
            #expect(throws: Never.self) {
                let text = try value.jsonText()
                #expect(try TemplateValue(json: text).jsonText() == text)
            }
        }
    }
}
