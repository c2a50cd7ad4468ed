import ArgumentParser
import Kernels
import LocalCluster

/// Shapes of clusters and pools that commands share.
enum ThreadOptions {
    /// The processors to pin this process's threads to, if there are enough.
    static func processors(threadCount: Int) -> [Int32] { Processor.topology.processors(threadCount: threadCount) }

    /// Threads per worker: as given, else all cores between the workers.
    static func threadsPerWorker(_ given: Int?, workerCount: Int) -> Int {
        given
            ?? CPUAssignment.defaultThreadCount(coreCount: Processor.topology.cores.count, workerCount: workerCount)
    }

    /// - Throws: `ValidationError` for a number outside the range, naming the option.
    static func check(_ value: Int?, _ option: String, in range: ClosedRange<Int>) throws {
        guard let value, !range.contains(value) else { return }
        throw ValidationError("\(option) \(value): use \(range.lowerBound) to \(range.upperBound)")
    }
}
