import Kernels
import OperatorTools

/// Measures what no computation on this machine is faster than: reading memory, and int8 dot products from registers.
struct RoofMeasurement: ~Copyable {
    /// Far beyond every cache.
    private static let largestBuffer: UInt64 = 1 << 30
    private static let repetitions = 5
    private let compute: Compute
    private let buffer: ReadBuffer

    init(_ pool: PoolShape) throws {
        let compute = try pool.makeCompute()
        let byteCount = Int(min(Self.largestBuffer, max(Processor.memory.available / 4, 1 << 26)))
        let buffer = try ReadBuffer(byteCount: byteCount)
        self.compute = compute
        self.buffer = buffer
    }

    /// Both.
    static func run(_ pool: PoolShape, progress: (String) -> Void) throws -> Roofs {
        progress("bench: read roof")
        let measurement = try RoofMeasurement(pool)
        let readRate = measurement.readRate
        progress("bench: dot-product peak")
        return Roofs(
            readBytesPerSecond: readRate, dotProductsPerSecond: measurement.dotPeak,
            bufferByteCount: measurement.buffer.byteCount)
    }

    /// Bytes a second.
    var readRate: Double { compute.readRate(buffer, rounds: Self.repetitions) }

    /// Multiply–adds a second.
    var dotPeak: Double {
        // Long enough that starting the threads does not count.
        var iterations: UInt64 = 1 << 12
        while iterations < 1 << 40 {
            let seconds = Stopwatch.seconds { _ = compute.dotPeak(iterations: iterations) }
            if seconds > 0.05 { break }
            iterations *= 2
        }
        var products: UInt64 = 0
        let seconds = Stopwatch.best(of: Self.repetitions) { products = compute.dotPeak(iterations: iterations) }
        return Double(products) / seconds
    }
}
