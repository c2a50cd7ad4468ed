import BasicContainers
import CommandSupport
import Kernels
import OperatorTools

/// Matrix–vector and matrix–matrix products with a feed-forward layer's shape, for every type of weights.
enum KernelMeasurement {
    private static let rows = 2560
    private static let columns = 6912
    private static let batch = 128
    /// So much weight is gone through in turn that it comes from memory, not from a cache.
    private static let workingSet = 256 << 20
    private static let repetitions = 5

    static func run(
        _ pool: PoolShape, _ kernels: KernelOptions, roofs: Roofs, progress: (String) -> Void
    ) throws -> [KernelFigures] {
        let prefetches = kernels.prefetch.map { [$0] } ?? Prefetch.allCases
        let compute = try pool.makeCompute()
        var figures: [KernelFigures] = []
        for type in WeightType.allCases {
            progress("bench: products with \(type) weights")
            let source = try SyntheticWeights.source(type: type, name: "bench.\(type)", rows: rows, columns: columns)
            figures += try measure("\(type)", grouping: .blocks, compute, prefetches, roofs) {
                try PackedMatrix([source])
            }
        }
        let source = try SyntheticWeights.ternarySource(name: "bench.ternary", rows: rows, columns: columns)
        for layout in TernaryLayout.allCases {
            progress("bench: products with ternary weights in layout \(layout.rawValue)")
            figures += try measure("ternary \(layout.rawValue)", grouping: .rows, compute, prefetches, roofs) {
                try PackedMatrix([source], layout: layout)
            }
        }
        return figures
    }

    private static func measure(
        _ type: String, grouping: Activations.Grouping, _ compute: borrowing Compute,
        _ prefetches: [Prefetch], _ roofs: Roofs,
        make: () throws -> PackedMatrix
    ) throws -> [KernelFigures] {
        var input = try Activations(rows: batch, columns: columns, grouping: grouping)
        for row in 0..<batch { input.assign(row: row, (0..<columns).map { Float(($0 &* 31 &+ row) % 255) / 127 - 1 }) }
        compute.quantise(&input, rows: batch)
        var output = try Tensor(rows: batch, columns: rows)
        var matrices = try matrices(make)
        // As stages do, but for what a usual one that is hardly slower would cost.
        var vector = Double.infinity
        for prefetch in prefetches {
            for index in 0..<matrices.count { matrices[index].prefetch = prefetch }
            let seconds = Stopwatch.median(of: repetitions) {
                for index in 0..<matrices.count { compute.multiply(matrices[index], input, rows: 1, into: &output) }
            }
            vector = min(vector, seconds)
        }
        let matrix = Stopwatch.median(of: repetitions) {
            compute.multiply(matrices[0], input, rows: batch, into: &output)
        }
        let byteCount = matrices[0].byteCount
        return [
            figures(type, batch: 1, seconds: vector / Double(matrices.count), byteCount: byteCount, roofs),
            figures(type, batch: batch, seconds: matrix, byteCount: byteCount, roofs),
        ]
    }

    /// As many as do not fit the caches together.
    private static func matrices(_ make: () throws -> PackedMatrix) throws -> UniqueArray<PackedMatrix> {
        let first = try make()
        let affordable = min(workingSet, Int(clamping: Processor.memory.available / 4))
        let count = max(1, (affordable + first.byteCount - 1) / first.byteCount)
        var matrices = UniqueArray<PackedMatrix>(minimumCapacity: count)
        matrices.append(first)
        while matrices.count < count { matrices.append(try make()) }
        return matrices
    }

    private static func figures(
        _ type: String, batch: Int, seconds: Double, byteCount: Int, _ roofs: Roofs
    ) -> KernelFigures {
        let bytes = Double(byteCount) / seconds
        let products = Double(batch * rows * columns) / seconds
        return KernelFigures(
            operation: batch == 1 ? "matvec" : "matmul", type: type, rows: rows, columns: columns, batch: batch,
            bytesPerSecond: bytes, multiplyAddsPerSecond: products,
            shareOfRoof: batch == 1 ? bytes / roofs.readBytesPerSecond : products / roofs.dotProductsPerSecond)
    }
}
