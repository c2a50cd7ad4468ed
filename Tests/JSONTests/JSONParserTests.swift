import Foundation
import Testing

@testable import JSON

struct JSONParserTests {
    @Test func `values keep their place in the text`() throws {
        let text = #" {"b": [1, -2.5e1 , true], "a": {"é": null}, "b2":"x\u00e9\ud83d\ude00\n\/"} "#
        let document = try JSONDocument(parsing: Array(text.utf8))
        guard case .object(let members) = document.root.value else {
            throw JSONSyntaxError(line: 0, column: 0, byteOffset: 0, problem: "")
        }
        #expect(members.map(\.key) == ["b", "a", "b2"])
        #expect(
            members.map { document.text(of: $0.node) } == [
                "[1, -2.5e1 , true]", #"{"é": null}"#, #""x\u00e9\ud83d\ude00\n\/""#,
            ])
        guard case .string(let string) = members[2].node.value else { return #expect(Bool(false)) }
        #expect(string == "xé😀\n/")
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "tru", "nulll", "01", "1.", ".5",
        "-", "1e",
        "+1", "NaN", "Infinity", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "[1] 2", "'a'", "\u{FEFF}1",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: Array(text.utf8)) }
    }

    @Test func `bytes that are not UTF-8 are refused where the string begins`() {
        let error = #expect(throws: JSONSyntaxError.self) {
            try JSONDocument(parsing: Array("[\n \"".utf8) + [0xC3, 0x28] + Array("\"]".utf8))
        }
        #expect(error?.line == 2)
        #expect(error?.column == 3)
    }

    @Test func `lone surrogates become replacement characters`() throws {
        for text in [#""\ud800""#, #""\ud800x""#, #""\udc00""#, #""\ud800\ud800""#, #""\ud800\u0041""#] {
            let document = try JSONDocument(parsing: Array(text.utf8))
            guard case .string(let string) = document.root.value else { continue }
            #expect(string.unicodeScalars.first == "\u{FFFD}")
        }
    }

    @Test func `depth and the number of values are bounded`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: Array(deep.utf8)) }
        let allowed = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(throws: Never.self) { try JSONDocument(parsing: Array(allowed.utf8)) }
        let many = "[" + String(repeating: "0,", count: JSONLimits().maximumValueCount) + "0]"
        #expect(throws: JSONSyntaxError.self) { try JSONDocument(parsing: Array(many.utf8)) }
    }

    @Test func `quoted text reads back as it was`() throws {
        let text = "a\"b\\c\nd\re\tf\u{1}\u{1F}é😀/"
        let document = try JSONDocument(parsing: JSONText.quoted(text))
        guard case .string(let string) = document.root.value else { return #expect(Bool(false)) }
        #expect(string == text)
    }

    @Test(arguments: [
        ("9223372036854775807", 9_223_372_036_854_775_807), ("-9223372036854775808", Int.min), ("5.0", 5),
        ("1e3", 1000),
        ("-0", 0),
    ])
    func `whole numbers are read however they are written`(text: String, value: Int) throws {
        #expect(try JSONDocument(parsing: Array(text.utf8)).root.value.wholeNumber == value)
    }
}
