import ZeroMQ

/// A host and a port, as in `tcp://192.168.1.10:7070` or `127.0.0.1:8080`.
struct Endpoint: Equatable {
    /// A name, an address, an address in brackets, or `*`.
    var host: String
    /// 0 stands for any free port.
    var port: Int

    /// Parses `tcp://HOST:PORT`; nil if it is anything else.
    init?(_ text: String) {
        guard text.hasPrefix("tcp://") else { return nil }
        self.init(hostAndPort: text.dropFirst(6))
    }

    /// Parses `HOST:PORT`; nil if it is anything else. An IPv6 address stands in brackets.
    init?(hostAndPort text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let host = text[text.startIndex..<colon]
        let port = text[text.index(after: colon)...]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        guard !host.isEmpty, host.utf8.count <= 253, bracketed || !host.contains(":"),
            host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ";") }),
            port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(port), (0...65535).contains(number)
        else { return nil }
        self.host = String(host)
        self.port = number
    }

    static func isWildcard(_ host: String) -> Bool { ["*", "0.0.0.0", "[::]"].contains(host) }

    static func isLoopback(_ host: String) -> Bool {
        LocalAddress.isLoopback(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host)
    }
}
