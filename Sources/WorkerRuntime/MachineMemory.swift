import FoundationEssentials

/// Memory of this machine and this process, as the kernel tells it.
struct MachineMemory {
    /// All memory of the machine, in bytes.
    var totalByteCount: UInt64
    /// What programs can still take without swapping, in bytes.
    var freeByteCount: UInt64
    /// Resident bytes of this process.
    var usedByteCount: UInt64

    /// What cannot be read is 0.
    static func current() -> MachineMemory {
        let machine = fields(ofFile: "/proc/meminfo")
        let process = fields(ofFile: "/proc/self/status")
        return MachineMemory(
            totalByteCount: machine["MemTotal"] ?? 0, freeByteCount: machine["MemAvailable"] ?? 0,
            usedByteCount: process["VmRSS"] ?? 0)
    }

    /// The lines `Name:  123 kB` of a file, in bytes.
    private static func fields(ofFile path: String) -> [String: UInt64] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
        var fields: [String: UInt64] = [:]
        for line in text.split(separator: "\n") where line.hasSuffix("kB") {
            let words = line.split { $0 == " " || $0 == "\t" || $0 == ":" }
            if words.count == 3, let kibibytes = UInt64(words[1]) { fields[String(words[0])] = kibibytes << 10 }
        }
        return fields
    }
}

/// This process, as other machines are told of it.
enum ProcessIdentity {
    static var number: Int32 { ProcessInfo.processInfo.processIdentifier }

    /// Grows with each start of the process, in nanoseconds of the machine's clock.
    static func newIncarnation() -> UInt64 {
        UInt64(max(0, Date().timeIntervalSince1970) * 1e9)
    }
}
