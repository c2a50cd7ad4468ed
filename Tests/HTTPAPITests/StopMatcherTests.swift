import TestSupport
import Testing

@testable import HTTPAPI

struct StopMatcherTests {
    /// The straightforward definition: the first place where a stop string is complete ends the text.
    private static func expected(_ text: String, _ stops: [String]) -> (text: String, stopped: Bool) {
        let bytes = Array(text.utf8)
        for end in 1...max(bytes.count, 1) where end <= bytes.count {
            let ending = stops.map { Array($0.utf8) }.filter { bytes[..<end].reversed().starts(with: $0.reversed()) }
            if let longest = ending.map(\.count).max() {
                return (String(decoding: bytes[..<(end - longest)], as: UTF8.self), true)
            }
        }
        return (text, false)
    }

    @Test func `the outcome does not depend on how the text is cut`() {
        var random = SeededGenerator(seed: 20_261)
        for _ in 0..<3000 {
            let alphabet: [Character] = ["a", "b", "é", "\n"]
            let text = String(
                (0..<Int.random(in: 0...24, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            let stops = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                String((0..<Int.random(in: 1...4, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            }
            var matcher = StopMatcher(stops.map { Array($0.utf8) })
            var output = ""
            var rest = text[...]
            while !rest.isEmpty {
                let length = Int.random(in: 1...5, using: &random)
                output += matcher.append(String(rest.prefix(length)))
                rest = rest.dropFirst(length)
            }
            let stopped = matcher.hasStopped
            if !stopped { output += matcher.finish() }
            let expected = Self.expected(text, stops)
            #expect(output == expected.text, "\(text.debugDescription) \(stops)")
            #expect(stopped == expected.stopped)
        }
    }

    @Test func `only what may begin a stop string is held back`() {
        var matcher = StopMatcher([Array("abab!".utf8), Array("bc".utf8)])
        #expect(matcher.append("xab") == "x")
        #expect(matcher.append("ab") == "")
        #expect(matcher.append("ab") == "ab")
        #expect(matcher.append("a") == "ab")
        #expect(matcher.append("z") == "abaz")
        #expect(matcher.append("ab") == "")
        #expect(matcher.append("c") == "a")
        #expect(matcher.hasStopped)
        #expect(matcher.append("more") == "")
    }
}
