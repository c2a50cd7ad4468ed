/// Which processors the workers of one machine are pinned to.
public enum CPUAssignment {
    /// Hands out cores in turn, so that workers share one only when there are more threads than cores.
    ///
    /// - Parameter cores: one processor for each core.
    /// - Returns: `[workerCount][threadsPerWorker]`; no processors if there are no cores to hand out.
    public static func roundRobin(cores: [Int32], workerCount: Int, threadsPerWorker: Int) -> [[Int32]] {
        (0..<workerCount).map { worker in
            guard !cores.isEmpty else { return [] }
            return (0..<threadsPerWorker).map { cores[(worker * threadsPerWorker + $0) % cores.count] }
        }
    }

    /// How many threads each worker gets when the user does not say: all cores between them, and at least one each.
    public static func defaultThreadCount(coreCount: Int, workerCount: Int) -> Int {
        max(1, coreCount / max(1, workerCount))
    }
}
