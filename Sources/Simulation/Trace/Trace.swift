import ClusterCore
import Transport

/// What happened: a digest of everything, and the last of it for people.
final class Trace {
    enum Event {
        case message(Envelope, Int, Int)
        case fault(Fault, Int, Int?)
        case notice(Notice)
        /// Something else, in words.
        case note(String)
    }

    private let names: [String]
    private let limit: Int
    private var events: [(at: Instant, event: Event)] = []
    private var next = 0
    /// The same for two runs in which the same happened.
    private(set) var digest: UInt64 = 0
    /// Called with every line, if all are wanted.
    var listener: ((String) -> Void)?

    /// - Parameters:
    ///   - names: of the machines.
    ///   - limit: how many events are kept.
    init(names: [String], limit: Int = 60) {
        self.names = names
        self.limit = limit
    }

    func note(_ event: Event, _ bytes: [UInt8] = [], at now: Instant) {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        switch event {
        case .message(_, let from, let to): hash = HashModel.mix(hash, UInt64(from << 8 | to))
        case .fault(let fault, let one, let other):
            hash = HashModel.mix(hash, UInt64(fault.index << 16 | one << 8 | (other ?? 0)))
        case .notice, .note: hash = HashModel.mix(hash, 1)
        }
        digest = HashModel.mix(HashModel.mix(digest, hash), UInt64(bitPattern: now.nanoseconds))
        if let listener { listener(line(now, event)) }
        if events.count < limit {
            events.append((now, event))
        } else {
            events[next] = (now, event)
            next = (next + 1) % limit
        }
    }

    /// The last events, oldest first.
    var lines: [String] { (events[next...] + events[..<next]).map { line($0.at, $0.event) } }

    private func line(_ now: Instant, _ event: Event) -> String {
        let text =
            switch event {
            case .message(let envelope, let from, let to): "\(names[from]) → \(names[to]): \(envelope.summary)"
            case .fault(let fault, let one, let other):
                "fault: \(fault.rawValue) \(names[one])" + (other.map { " → \(names[$0])" } ?? "")
            case .notice(let notice): "coordinator: \(notice.summary)"
            case .note(let text): text
            }
        return "\(now.text)  \(text)"
    }
}

extension Instant {
    /// Such as `12.345678 s`.
    var text: String {
        let micros = nanoseconds / 1000
        let fraction = String(micros % 1_000_000)
        return "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction) s"
    }
}

/// How often each fault has struck.
public struct FaultCounts: Sendable, Equatable {
    /// In the order of `Fault.allCases`.
    private var counts = [Int](repeating: 0, count: Fault.allCases.count)

    public init() {}

    public subscript(fault: Fault) -> Int { counts[fault.index] }

    public var total: Int { counts.reduce(0, +) }

    mutating func count(_ fault: Fault) { counts[fault.index] += 1 }

    public static func += (left: inout FaultCounts, right: FaultCounts) {
        for index in left.counts.indices { left.counts[index] += right.counts[index] }
    }
}
