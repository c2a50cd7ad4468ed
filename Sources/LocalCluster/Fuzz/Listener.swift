import Foundation

/// A TCP port that a process of the cluster listens on.
struct Listener: Sendable, Hashable {
    /// Of the process.
    var name: String
    var port: Int

    var endpoint: String { "tcp://127.0.0.1:\(port)" }

    /// All of them, as the kernel has it: so none is forgotten.
    static func all(of cluster: LocalCluster) -> [Listener] {
        cluster.processes.sorted { $0.key < $1.key }.flatMap { name, processID in
            ports(of: processID).map { Listener(name: name, port: $0) }
        }
    }

    /// Reading the table takes several system calls, between which sockets of other processes come and go and entries
    /// slip through. So it is read until nothing new has shown in it a few times in a row.
    private static func ports(of processID: Int32) -> [Int] {
        var found: Set<Int> = []
        var unchangedCount = 0
        while unchangedCount < 3 {
            let listed = listedPorts(of: processID)
            unchangedCount = listed.isSubset(of: found) ? unchangedCount + 1 : 0
            found.formUnion(listed)
        }
        return found.sorted()
    }

    /// proc_pid_fd(5) and proc_pid_net(5): what a process has open, and the sockets of its network.
    private static func listedPorts(of processID: Int32) -> Set<Int> {
        let folder = "/proc/\(processID)/fd"
        let files = FileManager.default
        let inodes = Set(
            ((try? files.contentsOfDirectory(atPath: folder)) ?? []).compactMap { file -> String? in
                let target = (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(file)")) ?? ""
                return target.hasPrefix("socket:[") ? String(target.dropFirst(8).dropLast()) : nil
            })
        let lines = ["tcp", "tcp6"].flatMap { table in
            text(of: "/proc/\(processID)/net/\(table)").split(separator: "\n").dropFirst()
        }
        let ports = lines.compactMap { line -> Int? in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == Self.listening, inodes.contains(String(fields[9])) else { return nil }
            return fields[1].split(separator: ":").last.flatMap { Int($0, radix: 16) }
        }
        return Set(ports)
    }

    private static let listening = "0A"

    /// All of a file of /proc, which gives a page at a time: `String(contentsOfFile:)` takes the first for all.
    private static func text(of path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path) else { return "" }
        var data = Data()
        while let part = try? file.read(upToCount: 1 << 16), !part.isEmpty { data += part }
        return String(decoding: data, as: UTF8.self)
    }
}
