/// A host and a port, as in `tcp://192.168.1.10:7070` or `127.0.0.1:8080`.
public struct HostPort: Sendable, Equatable, CustomStringConvertible {
    /// A name, an address, or `*`; an IPv6 address without its brackets.
    public var host: String
    /// 0...65535; 0 stands for any free port where something listens.
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `tcp://HOST:PORT`; nil if it is anything else.
    public init?(endpoint: String) {
        guard endpoint.hasPrefix("tcp://") else { return nil }
        self.init(endpoint.dropFirst(6))
    }

    /// Parses `HOST:PORT`; nil if it is anything else. An IPv6 address stands in brackets.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let host = text[text.startIndex..<colon]
        let port = text[text.index(after: colon)...]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        guard !host.isEmpty, host.utf8.count <= 253, isBracketed || !host.contains(where: { ":[]".contains($0) }),
            host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ";") }),
            port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(port), (0...65535).contains(number)
        else { return nil }
        self.init(host: String(isBracketed ? host.dropFirst().dropLast() : host), port: number)
    }

    /// The host as it stands before a port.
    public var hostText: String { host.contains(":") ? "[\(host)]" : host }

    public var description: String { "\(hostText):\(port)" }

    /// Whether it stands for all addresses of the machine.
    public var isWildcard: Bool { ["*", "0.0.0.0", "::"].contains(host) }

    /// Whether it names the machine to itself only.
    public var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || host == "::1" || (isAddress && parts[0] == "127")
    }
}
