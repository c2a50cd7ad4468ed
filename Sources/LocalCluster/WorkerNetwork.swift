import Foundation

/// A network namespace (ip-netns(8)) that a worker runs in, and the port of a bridge that its cable is plugged into.
public struct WorkerNetwork: Sendable {
    public var namespace: String
    /// The namespace of the bridge, and the name of the port there.
    public var hub: String
    public var port: String

    public init(namespace: String, hub: String, port: String) {
        (self.namespace, self.hub, self.port) = (namespace, hub, port)
    }

    private static let environment = "/usr/bin/env"
    /// Seconds that setting a link may take.
    private static let patience = "10"

    /// The command that runs another one there, as the same process.
    func entering(_ command: [String]) -> [String] {
        [Self.environment, "ip", "netns", "exec", namespace] + command
    }

    /// Pulls the cable, or plugs it in.
    ///
    /// - Throws: `LocalClusterError.cannotStart` if that does not work.
    func setLink(isUp: Bool) throws(LocalClusterError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.environment)
        process.arguments = ["timeout", Self.patience, "ip", "-n", hub, "link", "set", port, isUp ? "up" : "down"]
        process.standardInput = FileHandle.nullDevice
        do { try process.run() } catch {
            throw .cannotStart(program: "ip", reason: error.localizedDescription)
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw .cannotStart(program: "ip", reason: "it cannot set \(port) of \(hub); this needs root")
        }
    }
}
