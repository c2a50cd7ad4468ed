import Templates
import Testing

struct JSONTests {
    @Test(arguments: [
        (#"{"b": 1, "a": [true, false, null], "b": 2}"#, #"{"b": 2, "a": [true, false, null]}"#),
        (
            "[0, -0, 1.0, -0.5, 1e3, 1E-2, 12345678901234567890123]",
            "[0, 0, 1.0, -0.5, 1000.0, 0.01, 12345678901234567890123]"
        ),
        (#""\u00e9\ud83d\ude42\"\\\/\b\f\n\r\t""#, #""é🙂\"\\/\b\f\n\r\t""#),
        (" \t\r\n[ ] ", "[]"),
        (#"{"": {}}"#, #"{"": {}}"#),
        (
            #"{"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,"7":7,"8":8,"9":9,"10":10,"9":0}"#,
            #"{"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 0, "10": 10}"#
        ),
    ])
    func `documents keep the order of keys and the kinds of numbers`(source: String, expected: String) throws {
        #expect(try TemplateValue(json: source).jsonText() == expected)
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "'a'", "\"a", "\"\\x\"",
        "\"\\u12\"", "\"\\ud83d\\u12\"", "\"\u{01}\"", "01", "-", "1.",
        ".5", "1e", "+1", "NaN", "Infinity", "tru", "nul", "[1] 2", "// c", "\u{FEFF}[]",
    ])
    func `anything else is refused`(source: String) {
        #expect(throws: TemplateError.self) { try TemplateValue(json: source) }
    }

    @Test(arguments: [
        (#""\ud800""#, "\u{FFFD}"), (#""\ud83dx""#, "\u{FFFD}x"), (#""\udc00""#, "\u{FFFD}"),
        (#""\ud83d\u0041""#, "\u{FFFD}A"), (#""\ud800\ud83d\ude42""#, "\u{FFFD}🙂"), (#""\ud83d\n""#, "\u{FFFD}\n"),
    ])
    func `half of a surrogate pair becomes a replacement character`(source: String, expected: String) throws {
        guard case .string(let string) = try TemplateValue(json: source) else {
            Issue.record("not a string")
            return
        }
        #expect("\(string)" == expected)
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(throws: TemplateError.json(offset: 3, problem: "a string is not valid UTF-8")) {
            try TemplateValue(json: [0x22, 0xFF, 0x22])
        }
    }

    @Test func `size, depth and digits are bounded`() throws {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: TemplateError.self) { try TemplateValue(json: deep) }
        let nested = String(repeating: "[", count: 90) + String(repeating: "]", count: 90)
        #expect(try TemplateValue(json: nested).jsonText() == nested)
        #expect(throws: TemplateError.self) { try TemplateValue(json: "[" + nested + "]") }
        #expect(throws: TemplateError.self) { try TemplateValue(json: "[1, 2]", maximumByteCount: 5) }
        #expect(throws: TemplateError.self) { try TemplateValue(json: String(repeating: "1", count: 5000)) }
    }

    @Test func `keys that differ only in composition are two keys`() throws {
        let value = try TemplateValue(json: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
        let mapping = try #require(value.mappingValue)
        #expect(mapping.entries.count == 2)
        let template = try ChatTemplate(
            source: "{{ v['e\u{301}'] }}{{ '\u{E9}' == 'e\u{301}' }}{{ 'e' in 'e\u{301}' }}")
        #expect(try template.render(["v": value]) == "2FalseTrue")
    }
}
