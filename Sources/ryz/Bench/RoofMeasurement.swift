import Kernels
import OperatorTools

enum RoofMeasurement {
    /// Far beyond every cache.
    private static let largestBuffer: UInt64 = 1 << 30
    private static let repetitions = 5

    static func run(_ pool: PoolShape, progress: (String) -> Void) throws -> Roofs {
        let compute = try pool.makeCompute()
        progress("bench: read roof")
        let byteCount = Int(min(largestBuffer, max(Processor.memory.available / 4, 1 << 26)))
        let buffer = try ReadBuffer(byteCount: byteCount)
        let readRate = compute.readRate(buffer, rounds: repetitions)
        progress("bench: dot-product peak")
        return Roofs(
            readBytesPerSecond: readRate, dotProductsPerSecond: peak(compute),
            bufferByteCount: byteCount)
    }

    private static func peak(_ compute: borrowing Compute) -> Double {
        // Long enough that starting the threads does not count.
        var iterations: UInt64 = 1 << 12
        while iterations < 1 << 40 {
            let seconds = Stopwatch.seconds { _ = compute.dotPeak(iterations: iterations) }
            if seconds > 0.05 { break }
            iterations *= 2
        }
        var products: UInt64 = 0
        let seconds = Stopwatch.best(of: repetitions) { products = compute.dotPeak(iterations: iterations) }
        return Double(products) / seconds
    }
}
