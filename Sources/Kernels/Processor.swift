import CKernels
import Glibc

/// What this machine is, as far as placing and pinning need to know.
public enum Processor {
    /// The model name of the first processor, such as `AMD Ryzen 9 7950X 16-Core Processor`.
    public static var modelName: String {
        for line in lines(of: "/proc/cpuinfo") where line.hasPrefix("model name") {
            if let colon = line.firstIndex(of: ":") {
                return String(line[line.index(after: colon)...].drop { $0 == " " })
            }
        }
        return "unknown"
    }

    /// How the processors that this process may run on share cores and caches, as far as the system says.
    public static var topology: ProcessorTopology {
        func listed(_ cpu: Int32, _ file: String) -> [Int32]? {
            lines(of: "/sys/devices/system/cpu/cpu\(cpu)/\(file)").first.flatMap(ProcessorTopology.processors(listed:))
        }
        return ProcessorTopology(
            allowed: allowed, coreOf: { listed($0, "topology/thread_siblings_list") },
            cacheOf: { listed($0, "cache/index3/shared_cpu_list") })
    }

    /// The logical processors that this process may run on, in ascending order: as it was when first asked for, which is
    /// before a pool pins the thread that runs it.
    public static let allowed = allowedNow

    private static var allowedNow: [Int32] {
        [Int32](unsafeUninitializedCapacity: 1024) { buffer, count in
            count = Int(ryz_allowed_cpus(buffer.baseAddress, 1024))
        }
    }

    /// Does something with the calling thread free to run on all of `allowed`, as are the threads and processes that are
    /// started meanwhile: those of a pinned thread would all crowd its one processor.
    public static func unpinned<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result
    {
        let pinned = allowedNow
        ryz_set_allowed_cpus(allowed, Int32(allowed.count))
        defer { ryz_set_allowed_cpus(pinned, Int32(pinned.count)) }
        return try body()
    }

    /// Memory of the machine, and the part of it that new allocations can have, in bytes.
    public static var memory: (total: UInt64, available: UInt64) {
        (memoryInformation("/proc/meminfo", "MemTotal:"), memoryInformation("/proc/meminfo", "MemAvailable:"))
    }

    /// Memory of this process that is resident, in bytes.
    public static var residentByteCount: UInt64 { memoryInformation("/proc/self/status", "VmRSS:") }

    /// Memory of another process that is resident, in bytes; 0 if there is none of that number.
    public static func residentByteCount(of processID: Int32) -> UInt64 {
        memoryInformation("/proc/\(processID)/status", "VmRSS:")
    }

    private static func memoryInformation(_ path: String, _ key: String) -> UInt64 {
        for line in lines(of: path) where line.hasPrefix(key) {
            return line.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map { $0 * 1024 } ?? 0
        }
        return 0
    }

    // Files of /proc and /sys say nothing of their size, so they are read in pieces, up to a bound.
    private static func lines(of path: String) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16384)
        while text.count < 1 << 20 {
            let count = read(descriptor, &piece, piece.count)
            guard count > 0 else { break }
            text += piece[..<count]
        }
        return text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }
}
