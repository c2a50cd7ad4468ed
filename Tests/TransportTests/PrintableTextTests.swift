import Logging
import Synchronization
import Testing
import Transport

@testable import CommandSupport

@Suite struct PrintableTextTests {
    @Test func `control characters and changes of direction are escaped`() {
        #expect("Ryzen 9 – größer 🙂".printable == "Ryzen 9 – größer 🙂")
        #expect("a\u{1B}[31mb\nc\r\td".printable == #"a\u{1b}[31mb\nc\r\td"#)
        #expect("\u{9B}2J\u{7F}\u{0}\u{202E}x\u{2028}".printable == #"\u{9b}2J\u{7f}\u{0}\u{202e}x\u{2028}"#)
    }

    @Test func `what is logged cannot forge a line`() {
        let recorder = Recorder()
        var logger = Logger(label: "test") { _ in PrintableLogHandler(recorder) }
        logger[metadataKey: "own"] = "x\ny"
        logger.info("one\ntwo", metadata: ["reason": "a\u{1B}[2J", "list": ["\r"], "nested": ["key": "\n"]])
        #expect(
            recorder.lines.withLock(\.self)
                == [#"one\ntwo ["list": ["\\r"], "nested": ["key": "\\n"], "own": x\ny, "reason": a\u{1b}[2J]"#])
    }
}

/// Keeps lines as a handler that writes them would.
private final class Lines: Sendable {
    let all = Mutex<[String]>([])
    func withLock<Result>(_ body: ([String]) -> Result) -> Result { all.withLock { body($0) } }
    func append(_ line: String) { all.withLock { $0.append(line) } }
}

private struct Recorder: LogHandler {
    let lines = Lines()
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let text = all.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        lines.append("\(event.message) [\(text)]")
    }
}
