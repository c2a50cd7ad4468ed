/// How long exchanges of one size take: medians, in seconds.
public struct ExchangeReport: Encodable {
    public struct Kind: Encodable {
        public var name: String
        public var seconds: Double

        public init(name: String, seconds: Double) { (self.name, self.seconds) = (name, seconds) }
    }

    public var byteCount: Int
    /// There and back again.
    public var pingPongSeconds: Double
    public var kinds: [Kind]

    public init(byteCount: Int, pingPongSeconds: Double, kinds: [Kind]) {
        self.byteCount = byteCount
        self.pingPongSeconds = pingPongSeconds
        self.kinds = kinds
    }

    /// A Markdown table.
    public var text: String {
        let reference = "ping-pong over bare ZeroMQ, there and back"
        let rows = [Kind(name: reference, seconds: pingPongSeconds)] + kinds
        let table = TextTable(
            columns: [.init("\(byteCount) bytes", .left), .init("median", .right), .init("of the ping-pong", .right)],
            rows: rows.map { kind in
                [
                    .init(kind.name), .init("\(Units.decimal(kind.seconds * 1e6, places: 1)) µs"),
                    .init("\(Units.decimal(kind.seconds / pingPongSeconds, places: 2)) ×"),
                ]
            })
        return table.markdown.joined(separator: "\n")
    }
}
