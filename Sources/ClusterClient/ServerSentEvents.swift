/// Splits a body of server-sent events into the data of each event (WHATWG HTML, section 9.2.6; names and retry times are
/// not used here).
struct ServerSentEvents: Sendable {
    /// Longest line and longest data of one event, in bytes.
    static let maximumByteCount = 1 << 20

    struct TooLong: Error {}

    private var line: [UInt8] = []
    private var data: [UInt8]?
    private var lastWasCarriageReturn = false
    private var nextID: String?
    /// The id of the last event that was complete and had one.
    private(set) var lastID: String?

    /// Takes the next bytes and returns the data of the events that they complete.
    mutating func append(_ bytes: some Sequence<UInt8>) throws(TooLong) -> [[UInt8]] {
        var events: [[UInt8]] = []
        for byte in bytes {
            if byte == 0x0A, lastWasCarriageReturn {
                lastWasCarriageReturn = false
                continue
            }
            lastWasCarriageReturn = byte == 0x0D
            if byte == 0x0A || byte == 0x0D {
                if let event = endLine() { events.append(event) }
            } else {
                line.append(byte)
            }
            if line.count + (data?.count ?? 0) > Self.maximumByteCount { throw TooLong() }
        }
        return events
    }

    private mutating func endLine() -> [UInt8]? {
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty {
            defer { data = nil }
            lastID = nextID ?? lastID
            nextID = nil
            return data
        }
        if let id = value(of: "id:") { nextID = String(decoding: id, as: UTF8.self) }
        guard let value = value(of: "data:") else { return nil }
        if data == nil { data = Array(value) } else { data?.append(contentsOf: [0x0A] + value) }
        return nil
    }

    /// What stands behind a field's name; nil if the line is another field.
    private func value(of field: String) -> ArraySlice<UInt8>? {
        guard line.starts(with: field.utf8) else { return nil }
        let value = line[field.utf8.count...]
        return value.first == UInt8(ascii: " ") ? value.dropFirst() : value
    }
}
