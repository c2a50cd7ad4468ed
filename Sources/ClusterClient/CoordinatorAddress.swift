import Foundation

/// Where a coordinator's HTTP side is.
public struct CoordinatorAddress: Sendable, Equatable, CustomStringConvertible {
    public var host: String
    public var port: Int

    /// Reads `http://host:port`, `host:port` or `host`; the port is 8080 if none is given.
    ///
    /// - Throws: ``ClusterClientError/invalidURL(_:problem:)``.
    public init(_ text: String) throws(ClusterClientError) {
        let url = text.contains("://") ? text : "http://" + text
        guard let components = URLComponents(string: url), let host = components.host, !host.isEmpty else {
            throw .invalidURL(text, problem: "it is not a URL")
        }
        guard components.scheme == "http" else {
            throw .invalidURL(text, problem: "only http:// is supported")
        }
        guard components.path.isEmpty || components.path == "/", components.query == nil else {
            throw .invalidURL(text, problem: "it has a path")
        }
        let port = components.port ?? 8080
        guard (1...65535).contains(port) else { throw .invalidURL(text, problem: "the port is not from 1 to 65535") }
        // Brackets belong to the URL, not to the IPv6 address.
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    public var description: String { host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)" }
}
