import Foundation
import Kernels

/// What a process takes of its machine.
public struct ProcessUsage: Sendable, Equatable {
    /// Bytes in memory.
    public var residentByteCount: UInt64
    public var threadCount: Int
    /// Open files and sockets.
    public var descriptorCount: Int

    /// As /proc has it; zeroes if there is no such process.
    init(of processID: Int32) {
        residentByteCount = Processor.residentByteCount(of: processID)
        let files = FileManager.default
        threadCount = (try? files.contentsOfDirectory(atPath: "/proc/\(processID)/task").count) ?? 0
        descriptorCount = (try? files.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count) ?? 0
    }
}

/// What the processes of a cluster take of their machine at one moment.
public struct UsageSample: Sendable, Equatable {
    /// Since the disturbance could begin.
    public var time: Duration
    /// By name.
    public var processes: [String: ProcessUsage]

    init(of cluster: LocalCluster, since start: ContinuousClock.Instant) {
        time = start.duration(to: .now)
        processes = cluster.processes.mapValues { ProcessUsage(of: $0) }
    }
}
