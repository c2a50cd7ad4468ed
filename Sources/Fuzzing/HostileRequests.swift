import Transport

/// What no HTTP client should send, for the coordinator's port: the same for the same seed.
public struct HostileRequests: Sendable {
    /// One connection: its bytes, some of which may come later than others.
    public struct Connection: Sendable {
        public var pieces: [[UInt8]]
        /// Whether an answer is to be waited for; otherwise the client goes as soon as it has sent all.
        public var waits: Bool
    }

    /// Paths that take a body and change nothing.
    public static let paths = ["/v1/chat/completions", "/v1/completions", "/v1/ryz/score", "/v1/ryz/tokenize"]

    private var random: SplitMix64

    public init(seed: UInt64) { random = SplitMix64(seed: seed) }

    public mutating func next() -> Connection {
        switch int(0...15) {
        case 0: Connection(pieces: [.random(count: int(1...2000), using: &random)], waits: true)
        case 1: Connection(pieces: [requestLine()], waits: true)
        case 2: Connection(pieces: [headers()], waits: true)
        case 3: Connection(pieces: [request(body: [], "content-length: \(bodyLength())")], waits: false)
        case 4: chunked()
        case 5: slow()
        case 6: Connection(pieces: [truncated()], waits: false)
        case 7: large()
        case 8:
            // Several on one connection.
            Connection(pieces: [(0..<int(2...6)).flatMap { _ in request(body: body()) }], waits: true)
        default: Connection(pieces: [request(body: body())], waits: true)
        }
    }

    /// JSON that is nearly what the API takes.
    public mutating func body() -> [UInt8] {
        var bytes = Array(Self.seeds[int(0...Self.seeds.count - 1)].utf8)
        for _ in 0..<int(1...4) {
            let place = int(0...bytes.count)
            switch int(0...4) {
            case 0: bytes = Array(bytes[..<place])
            case 1 where place < bytes.count: bytes[place] = .random(in: .min ... .max, using: &random)
            case 2: bytes.insert(contentsOf: token(), at: place)
            case 3: bytes.replaceSubrange(place..<int(place...bytes.count), with: token())
            default:
                let end = min(bytes.count, place + 20)
                bytes.insert(contentsOf: bytes[place..<end], at: int(0...bytes.count))
            }
        }
        return bytes
    }

    private static let seeds = [
        #"{"model":"lab/byte-model","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9"}]}],"n":2,"#
            + #""stop":["x","y"],"logit_bias":{"5":1.5},"seed":7,"max_tokens":3,"tools":[{"type":"function"}]}"#,
        #"{"prompt":[[1,2],[3]],"echo":true,"logprobs":2,"max_tokens":4,"top_p":0.9,"stream":true}"#,
        #"{"ids":[1,2,3],"top":2,"chunk":1}"#, #"{"text":"abc"}"#,
        #"{"messages":[{"role":"user","content":"a"}],"max_tokens":2,"temperature":0.5,"stream":true}"#,
    ]
    private static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\u", "\\", "null", "true", "-", "1e999", "1e-999", "99999999999999999999",
        "NaN", "\u{0}", "é", "\"messages\"", "\"prompt\"", "[[[[", "0", "-1", "{}", "\"\"",
    ]
}

extension HostileRequests {
    private mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    private mutating func token() -> [UInt8] { Array(Self.tokens[int(0...Self.tokens.count - 1)].utf8) }
    private mutating func path() -> String { Self.paths[int(0...Self.paths.count - 1)] }

    private mutating func request(body: [UInt8], _ length: String? = nil) -> [UInt8] {
        // Whoever waits for an answer need not wait for more.
        let connection = int(0...15) == 0 ? "keep-alive" : "close"
        let length = length ?? "content-length: \(body.count)"
        let head = "POST \(path()) HTTP/1.1\r\nhost: fuzz\r\nconnection: \(connection)\r\n\(length)\r\n\r\n"
        return Array(head.utf8) + body
    }

    private mutating func bodyLength() -> String {
        let lengths = [
            "4194305", "99999999999999999999", "-1", "0x10", "1, 2", "18446744073709551615", "1\r\ncontent-length: 2",
        ]
        return lengths[int(0...lengths.count - 1)]
    }

    private mutating func requestLine() -> [UInt8] {
        let lines = [
            "GET", "GET /", "GET / HTTP/9.9", "get / http/1.1", "GET  / HTTP/1.1", "\u{0} / HTTP/1.1",
            "GET /%zz HTTP/1.1",
            "GET /v1/ryz/streams/../../etc/passwd HTTP/1.1", "CONNECT a:1 HTTP/1.1", "PRI * HTTP/2.0",
            "GET http://other/healthz HTTP/1.1", "DELETE /v1/models HTTP/1.1", "GET /v1/ryz/streams/\u{e9} HTTP/1.1",
            "GET /" + String(repeating: "a", count: 40_000) + " HTTP/1.1", "OPTIONS * HTTP/1.1", "GET /?%00 HTTP/1.0",
        ]
        return Array((lines[int(0...lines.count - 1)] + "\r\nhost: fuzz\r\nconnection: close\r\n\r\n").utf8)
    }

    private mutating func headers() -> [UInt8] {
        let fields = [
            String(repeating: "x: y\r\n", count: 200), "x: " + String(repeating: "y", count: 40_000) + "\r\n",
            "no colon\r\n", ": empty\r\n", "x:\u{0}\r\n", " folded\r\n", "transfer-encoding: gzip\r\n",
            "transfer-encoding: chunked\r\ncontent-length: 5\r\n", "expect: 100-continue\r\n",
            "connection: upgrade\r\n",
            "last-event-id: -1\r\n", "authorization: Bearer \u{e9}\r\n", "upgrade: h2c\r\nconnection: upgrade\r\n",
        ]
        let lines = (0..<int(1...3)).map { _ in fields[int(0...fields.count - 1)] }.joined()
        return Array("GET /v1/models HTTP/1.1\r\nhost: fuzz\r\nconnection: close\r\n\(lines)\r\n".utf8)
    }

    private mutating func chunked() -> Connection {
        let head = request(body: [], "transfer-encoding: chunked")
        let chunks = [
            "zz\r\nabc\r\n", "ffffffffffffffff\r\nabc", "-1\r\n", "3\r\nabcdef\r\n",
            "3;\(String(repeating: "e", count: 9000))\r\nabc\r\n",
            "0\r\ntrailer: x\r\n\r\n", "\r\n\r\n", "5\r\n{\"a\":\r\n0\r\n\r\n",
        ]
        let pieces = (0..<int(1...4)).map { _ in Array(chunks[int(0...chunks.count - 1)].utf8) }
        return Connection(pieces: [head] + pieces, waits: Bool.random(using: &random))
    }

    /// A body that comes byte by byte, and does not end.
    private mutating func slow() -> Connection {
        let body = body()
        let whole = request(body: [], "content-length: \(body.count + 100)")
        return Connection(pieces: [whole] + body.prefix(int(0...8)).map { [$0] }, waits: false)
    }

    private mutating func truncated() -> [UInt8] {
        let bytes = request(body: body())
        return Array(bytes.prefix(int(0...bytes.count - 1)))
    }

    /// Bodies at and beyond the limit, deeply nested ones, and texts that are not UTF-8; now and then.
    private mutating func large() -> Connection {
        switch int(0...5) {
        case 0:
            let content = [UInt8](repeating: UInt8(ascii: " "), count: (4 << 20) + int(0...1))
            return Connection(pieces: [request(body: content)], waits: true)
        case 1, 2:
            let nested = [UInt8](repeating: UInt8(ascii: "["), count: int(100...100_000))
            return Connection(pieces: [request(body: Array("{\"prompt\":".utf8) + nested)], waits: true)
        default:
            let text = [UInt8].random(count: int(1...400), using: &random)
            return Connection(
                pieces: [request(body: Array("{\"prompt\":\"".utf8) + text + Array("\"}".utf8))], waits: true)
        }
    }
}
