import Transport

/// What to send to a node's port over a plain TCP connection: ZMTP that is broken, in an old version or in another
/// mechanism, and what is no ZMTP at all (rfc.zeromq.org/spec/23). The same for the same seed.
public struct HostileBytes: Sendable {
    /// One connection: what goes out, and how it ends.
    public struct Connection: Sendable {
        public var bytes: [UInt8]
        /// Frames in `bytes` beyond the greeting, as far as one can tell; at least 1.
        public var frameCount = 1
        public var ending: Ending
    }

    public enum Ending: CaseIterable, Sendable {
        /// Closed in good order.
        case closed
        /// Given up with a reset.
        case reset
        /// Left open for a while without another byte.
        case held
    }

    private var random: SplitMix64

    public init(seed: UInt64) { random = SplitMix64(seed: seed) }

    public mutating func next() -> Connection {
        let ending: Ending = [.closed, .closed, .reset, .reset, .held][int(0...4)]
        switch int(0...9) {
        case 0: return Connection(bytes: .random(count: int(1...2000), using: &random), ending: ending)
        case 1: return Connection(bytes: [], ending: ending)
        case 2:
            let greeting = greeting()
            return Connection(bytes: Array(greeting.prefix(int(0...greeting.count - 1))), ending: ending)
        case 3: return Connection(bytes: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), ending: ending)
        case 4: return oldVersion(ending)
        case 5:
            // Any mechanism, and a first command that may be none of its.
            let mechanisms = ["CURVE", "PLAIN", "GSSAPI", "NOSUCH", ""]
            let names = ["HELLO", "INITIATE", "READY", "ERROR", "WELCOME", ""]
            let command = Self.command(
                names[int(0...names.count - 1)], .random(count: int(0...400), using: &random))
            return Connection(
                bytes: greeting(mechanisms[int(0...mechanisms.count - 1)]) + command, ending: ending)
        default: return frames(ending)
        }
    }

    /// A greeting in ZMTP 3.0, and what introduces a DEALER of that routing id.
    public static func introduction(routingID: [UInt8]) -> [UInt8] {
        greeting("NULL")
            + command("READY", property("Socket-Type", Array("DEALER".utf8)) + property("Identity", routingID))
    }

    /// A greeting in ZMTP 2.0 or before, and what introduces a DEALER of that routing id.
    public static func oldIntroduction(version: UInt8, routingID: [UInt8]) -> [UInt8] {
        let length = UInt8(clamping: routingID.count)
        // Before 2.0 there was none: a frame with the routing id came first.
        guard version > 0 else { return [length + 1, 0] + routingID }
        return [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, version, 5, 0, length] + routingID
    }

    /// A frame of a message, not its last one if `hasMore`.
    public static func frame(_ content: [UInt8], hasMore: Bool = false) -> [UInt8] {
        frame(flags: hasMore ? 1 : 0, announcing: UInt64(content.count), content)
    }
}

extension HostileBytes {
    private mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

    private static func greeting(_ mechanism: String) -> [UInt8] {
        let name = Array(mechanism.utf8.prefix(20))
        return [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + name + [UInt8](repeating: 0, count: 20 - name.count)
            + [UInt8](repeating: 0, count: 32)
    }

    private mutating func greeting(_ mechanism: String = "NULL") -> [UInt8] {
        var bytes = Self.greeting(mechanism)
        if int(0...3) == 0 { bytes[int(8...63)] = .random(in: .min ... .max, using: &random) }
        return bytes
    }

    private static func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
        [UInt8(clamping: name.utf8.count)] + Array(name.utf8) + bigEndian(UInt32(value.count)) + value
    }

    private static func command(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let bytes = [UInt8(clamping: name.utf8.count)] + Array(name.utf8) + content
        return frame(flags: 4, announcing: UInt64(bytes.count), bytes)
    }

    private static func frame(flags: UInt8, announcing byteCount: UInt64, _ content: [UInt8]) -> [UInt8] {
        byteCount < 256
            ? [flags, UInt8(byteCount)] + content
            : [flags | 2] + bigEndian(byteCount) + content
    }

    private static func bigEndian(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        stride(from: value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private mutating func oldVersion(_ ending: Ending) -> Connection {
        let routingID = [UInt8].random(count: int(0...40), using: &random)
        var bytes = Self.oldIntroduction(version: UInt8(int(0...2)), routingID: routingID)
        let count = int(1...20)
        for _ in 0..<count { bytes += Self.frame(.random(count: int(0...100), using: &random)) }
        if Bool.random(using: &random) { bytes.mutate(using: &random) }
        return Connection(bytes: bytes, frameCount: count, ending: ending)
    }

    /// A greeting that is right, an introduction that may be, and then anything.
    private mutating func frames(_ ending: Ending) -> Connection {
        var bytes = Self.introduction(routingID: .random(count: int(0...[10, 300][int(0...1)]), using: &random))
        switch int(0...5) {
        case 0: bytes.mutate(using: &random)
        case 1:
            // Properties whose lengths go beyond the command.
            let property = [UInt8(int(0...255))] + [UInt8].random(count: int(0...60), using: &random)
            bytes = greeting() + Self.command("READY", property)
        default: break
        }
        let count = int(1...60)
        for _ in 0..<count { bytes += anyFrame() }
        return Connection(bytes: bytes, frameCount: count, ending: ending)
    }

    private mutating func anyFrame() -> [UInt8] {
        let content = [UInt8].random(count: int(0...[4, 200, 1000][int(0...2)]), using: &random)
        switch int(0...12) {
        case 0: return Self.frame(flags: .random(in: .min ... .max, using: &random), announcing: 3, [1, 2, 3])
        case 1:
            let names = [
                "PING", "PONG", "SUBSCRIBE", "CANCEL", "ERROR", "READY", "MESSAGE", "JOIN", "LEAVE", "\u{1}", "",
            ]
            return Self.command(names[int(0...names.count - 1)], content)
        case 2:
            // Lengths that no memory has, and those that are a little more than allowed.
            let lengths: [UInt64] = [1 << 63 - 1, .max, 1 << 63, 64 << 20 + 1, 64 << 20, 1 << 32]
            return Self.frame(flags: UInt8(int(0...1)), announcing: lengths[int(0...lengths.count - 1)], content)
        case 3...5: return Self.frame(content, hasMore: true)
        default: return Self.frame(content)
        }
    }
}
