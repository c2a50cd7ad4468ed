public import ClusterClient

/// The line in which a coordinator says where it listens: `http=http://127.0.0.1:8080 control=tcp://127.0.0.1:7070`.
public struct CoordinatorAnnouncement: Sendable, Equatable {
    public var http: CoordinatorAddress
    public var controlEndpoint: String

    /// A longer line is no announcement.
    static let maximumByteCount = 4096

    /// - Throws: `LocalClusterError.unexpectedAddress`.
    public init(line: String) throws(LocalClusterError) {
        var fields: [String: String] = [:]
        for field in line.split(separator: " ") {
            let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let url = fields["http"], let http = try? CoordinatorAddress(url), let control = fields["control"],
            control.hasPrefix("tcp://")
        else { throw .unexpectedAddress(line) }
        self.http = http
        controlEndpoint = control
    }
}
