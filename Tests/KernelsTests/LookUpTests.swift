import Foundation
import TestSupport
import Testing

@testable import Kernels

/// Matrices whose products with one row of activations are looked up in tables: bit planes and ternary triples.
@Suite struct LookUpTests {
    /// matrix · rows as bits, with the given kernels, threads and split of the rows into calls.
    private func product(
        _ matrix: borrowing PackedMatrix, _ rows: [[Float]], instructionSet: InstructionSet = .best, threads: Int = 1,
        chunk: Int = 1000, grouping: Activations.Grouping = .blocks
    ) throws -> [UInt32] {
        let compute = try Compute(threadCount: threads, instructionSet: instructionSet)
        var bits: [UInt32] = []
        for first in stride(from: 0, to: rows.count, by: chunk) {
            let part = rows[first..<min(first + chunk, rows.count)]
            var activations = try Activations(rows: part.count, columns: matrix.columns, grouping: grouping)
            for (index, row) in part.enumerated() { activations.assign(row: index, row) }
            compute.quantise(&activations, rows: activations.rows)
            var output = try Tensor(rows: activations.rows, columns: (matrix.rows + 15) / 16 * 16)
            compute.multiply(matrix, activations, rows: activations.rows, into: &output)
            for row in 0..<activations.rows {
                bits += output.values(row: row).prefix(matrix.rows).map(\.bitPattern)
            }
        }
        return bits
    }

    private func planes(_ bits: Int, _ groupColumns: Int) throws -> BitPlanes {
        try #require(BitPlanes(bits: bits, groupColumns: groupColumns))
    }

    /// Rows of float32 weights in a file.
    private func floats(_ values: [Float], columns: Int) throws -> WeightSource {
        var writer = ByteWriter()
        for value in values { writer.integer(value.bitPattern) }
        let file = try TemporaryFile(writer.bytes)
        return try WeightSource(
            name: "test", file: MappedFile(path: file.path), byteOffset: 0, type: .f32, rows: values.count / columns,
            columns: columns)
    }

    /// Expects the bits of portable multiplying and adding from everything else.
    private func expectSameBits(
        _ matrix: inout PackedMatrix, _ rows: [[Float]], grouping: Activations.Grouping = .blocks
    ) throws {
        matrix.kernel = .multiplyAdd
        let expected = try product(matrix, rows, instructionSet: .portable, grouping: grouping)
        for kernel in MatrixKernel.allCases {
            matrix.kernel = kernel
            for instructionSet in availableInstructionSets {
                for (threads, chunk) in [(1, 1), (2, 3), (3, 9), (2, 1)] {
                    let bits = try product(
                        matrix, rows, instructionSet: instructionSet, threads: threads, chunk: chunk,
                        grouping: grouping)
                    #expect(bits == expected, "\(kernel), \(instructionSet), \(threads) threads, chunks of \(chunk)")
                }
                for prefetch in Prefetch.allCases {
                    matrix.prefetch = prefetch
                    let bits = try product(
                        matrix, rows, instructionSet: instructionSet, threads: 1, chunk: 1, grouping: grouping)
                    #expect(bits == expected, "\(kernel), \(instructionSet), prefetch \(prefetch)")
                }
            }
        }
    }

    @Test(arguments: 1...4, [(320, 32), (864, 64), (2560, 128), (96, 4096)])
    func `bit planes give the same bits by every kernel, instruction set, thread count and chunk`(
        bits: Int, shape: (columns: Int, group: Int)
    ) throws {
        let source = try TestMatrix(.f16, rows: 40, columns: shape.columns).source
        let rows = randomRows(11, shape.columns)
        for segment in [nil, 64] {
            var matrix = try PackedMatrix(
                quantising: [source], to: planes(bits, shape.group), segmentColumns: segment)
            try expectSameBits(&matrix, rows)
        }
    }

    @Test(arguments: 1...4) func `the largest weights and activations fit the sums`(bits: Int) throws {
        let columns = 256
        // All ones but one column, so that codes are as large as they get; activations of one sign.
        let source = try floats((0..<16 * columns).map { $0 % 32 == 0 ? 0 : 1 }, columns: columns)
        var matrix = try PackedMatrix(quantising: [source], to: planes(bits, 32))
        for sign: Float in [-1, 1] {
            let rows = [[Float]](repeating: [Float](repeating: sign * 127, count: columns), count: 3)
            try expectSameBits(&matrix, rows)
            let values = try product(matrix, rows).map { Float(bitPattern: $0) }
            #expect(values.allSatisfy { abs($0 - sign * 127 * 248) < 32 })
        }
    }

    @Test(arguments: 1...4, [nil, 96])
    func `products of bit planes are as close to exact arithmetic on their weights as float32 allows`(
        bits: Int, segmentColumns: Int?
    ) throws {
        let source = try TestMatrix(.f32, rows: 33, columns: 352).source
        let rows = randomRows(3, 352)
        let matrix = try PackedMatrix(
            quantising: [source], to: planes(bits, 64), segmentColumns: segmentColumns)
        let values = try product(matrix, rows).map { Double(Float(bitPattern: $0)) }
        for (row, input) in rows.enumerated() {
            let quantised = quantiseByDefinition(input)
            for output in 0..<33 {
                let decoded = matrix.decodedRow(output)
                let products = zip(try #require(decoded), quantised).map { Double($0) * $1 }
                let magnitude = products.reduce(0) { $0 + abs($1) }
                #expect(abs(values[row * 33 + output] - products.reduce(0, +)) <= 1e-6 * magnitude)
            }
        }
    }

    @Test(arguments: 1...4, [320, 864, 2560])
    func `weights that the codes can hold come back as they were`(bits: Int, columns: Int) throws {
        // Every group holds the lowest and the highest code; a power of two as scale is exact in float16.
        let top = (1 << bits) - 1
        var random = SeededGenerator(seed: UInt64(bits))
        let weights = (0..<35 * columns).map { index -> Float in
            let code = index % 32 < 2 ? index % 32 * top : Int.random(in: 0...top, using: &random)
            return Float(code) / 64 - Float(index / columns % 5) / 8
        }
        let source = try floats(weights, columns: columns)
        for group in [32, 64, 128] {
            let matrix = try PackedMatrix(quantising: [source], to: planes(bits, group))
            for row in 0..<35 {
                let decoded = matrix.decodedRow(row)
                #expect(decoded == Array(weights[row * columns..<(row + 1) * columns]))
            }
            let loss = matrix.measuredLoss?.relative
            #expect(loss == 0)
        }
    }

    @Test func `the measured loss is that of the weights, and less for more bits and for smaller groups`() throws {
        let test = try TestMatrix(.f32, rows: 20, columns: 320)
        let weights = try test.decoded()
        func loss(_ bits: Int, _ group: Int) throws -> Double {
            let matrix = try PackedMatrix(quantising: [test.source], to: planes(bits, group))
            var (error, square) = (0.0, 0.0)
            for row in 0..<20 {
                let decoded = matrix.decodedRow(row)
                for (weight, value) in zip(weights[row], try #require(decoded)) {
                    error += pow(Double(weight) - Double(value), 2)
                    square += pow(Double(weight), 2)
                }
            }
            let loss = matrix.measuredLoss?.relative
            let measured = try #require(loss)
            #expect(abs(measured - (error / square).squareRoot()) < 1e-9)
            return measured
        }
        let losses = try (1...4).map { try loss($0, 128) }
        #expect(losses == losses.sorted(by: >))
        #expect(losses[0] < 0.7 && losses[3] < 0.1)
        for bits in 1...4 { #expect(try loss(bits, 32) < losses[bits - 1]) }
    }

    @Test func `weights that are equal, tiny or too large for float16 are quantised to something finite`() throws {
        let values: [[Float]] = [
            .init(repeating: 0, count: 64), .init(repeating: 0.25, count: 64), .init(repeating: 1e-30, count: 64),
            (0..<64).map { $0 % 2 == 0 ? 3e38 : -3e38 }, (0..<64).map { Float($0) * 1e-9 },
        ]
        let source = try floats(Array(values.joined()), columns: 64)
        for bits in 1...4 {
            var matrix = try PackedMatrix(quantising: [source], to: planes(bits, 64))
            let decoded = values.indices.compactMap { matrix.decodedRow($0) }
            #expect(decoded.count == values.count && decoded.joined().allSatisfy(\.isFinite))
            #expect(Array(decoded.prefix(2)) == Array(values.prefix(2)))
            try expectSameBits(&matrix, randomRows(2, 64))
        }
    }

    @Test func `weights that are not finite, and forms that there are not, are refused`() throws {
        let source = try floats((0..<32).map { $0 == 7 ? .infinity : 1 }, columns: 32)
        #expect(throws: KernelError.self) { _ = try PackedMatrix(quantising: [source], to: planes(2, 64)) }
        for (bits, group) in [(0, 64), (5, 64), (2, 16), (2, 48), (2, 8192)] {
            #expect(BitPlanes(bits: bits, groupColumns: group) == nil)
        }
    }

    /// A ternary matrix of its own file, and its weights.
    private func ternary(
        rows: Int, columns: Int, _ weight: (Int, Int) -> Int
    ) throws -> (file: TemporaryFile, source: TernarySource, weights: [[Int]]) {
        let weights = (0..<rows).map { row in (0..<columns).map { weight(row, $0) } }
        // Four rows to a byte, a quarter of the rows apart.
        let quarter = rows / 4
        let bytes = (0..<quarter * columns).map { index -> UInt8 in
            (0..<4).reduce(0) { byte, k in
                byte | UInt8(weights[k * quarter + index / columns][index % columns] + 1) << (2 * k)
            }
        }
        let file = try TemporaryFile(bytes)
        let source = try TernarySource(
            name: "test", file: MappedFile(path: file.path), byteOffset: 0, form: .quarters, rows: rows,
            columns: columns, scale: 0.5)
        return (file, source, weights)
    }

    @Test(arguments: [32, 320, 864, 2560])
    func `ternary triples give the bits of every other layout, kernel, instruction set, thread count and chunk`(
        columns: Int
    ) throws {
        var random = SeededGenerator(seed: 3)
        let (_, source, _) = try ternary(rows: 40, columns: columns) { _, _ in Int.random(in: -1...1, using: &random) }
        let rows = randomRows(11, columns)
        var triples = try PackedMatrix([source], layout: .threeToAnIndex)
        try expectSameBits(&triples, rows, grouping: .rows)
        let expected = try product(triples, rows, grouping: .rows)
        for layout in [TernaryLayout.twoBits, .fiveToAByte, .fiveToAnIndex] {
            let other = try PackedMatrix([source], layout: layout)
            #expect(try product(other, rows, grouping: .rows) == expected)
        }
    }

    @Test(arguments: [TileLayout.t2, .t5, .i5], [864, 960, 32, 96])
    func `tiles of one ternary layout lie in memory in another, whole and in part`(
        stored: TileLayout, columnCount: Int
    ) throws {
        var random = SeededGenerator(seed: 5)
        let (_, source, _) = try ternary(rows: 40, columns: columnCount) { _, _ in
            Int.random(in: -1...1, using: &random)
        }
        let layout = try #require(TernaryLayout(rawValue: stored.rawValue))
        let folder = try TemporaryFolder()
        let path = folder.path + "/tiles"
        var file = try OutputFile(creating: path)
        try PackedMatrix([source], layout: layout).write(to: &file)
        let tiles = try TileSource(
            name: "w", file: MappedFile(path: path), byteOffset: 0, layout: stored, rows: 40, columns: columnCount,
            scale: 0.5)
        let all = 0..<columnCount
        for (rows, columns) in [(0..<40, all), (16..<40, all), (0..<32, columnCount / 64 * 32..<columnCount)] {
            let expected = try PackedMatrix([source.part(rows: rows, columns: columns)], layout: .threeToAnIndex)
            let inputs = randomRows(3, columns.count)
            for layout in [TernaryLayout.twoBits, .fiveToAByte, .fiveToAnIndex] {
                let matrix = try PackedMatrix([tiles.part(rows: rows, columns: columns).recoded(TileLayout(layout))])
                // Not only the same products: the very bytes that packing gives.
                let packed = try PackedMatrix([source.part(rows: rows, columns: columns)], layout: layout)
                #expect(try bytes(of: matrix) == bytes(of: packed), "\(layout)")
                for count in [1, 3] {
                    let rows = Array(inputs.prefix(count))
                    #expect(
                        try product(matrix, rows, grouping: .rows) == product(expected, rows, grouping: .rows),
                        "\(layout), \(count) rows")
                }
            }
        }
    }

    private func bytes(of matrix: borrowing PackedMatrix) throws -> Data {
        let folder = try TemporaryFolder()
        var file = try OutputFile(creating: folder.path + "/tiles")
        try matrix.write(to: &file)
        return try Data(contentsOf: URL(fileURLWithPath: folder.path + "/tiles"))
    }

    @Test(arguments: TernaryLayout.allCases, [(864, 256), (2560, 512), (96, 96), (160, 32)])
    func `segments of activations have a scale each, and their sums the same bits everywhere`(
        layout: TernaryLayout, shape: (columns: Int, segment: Int)
    ) throws {
        var random = SeededGenerator(seed: 4)
        let (_, source, weights) = try ternary(rows: 40, columns: shape.columns) { _, _ in
            Int.random(in: -1...1, using: &random)
        }
        // Segments of very different size, so that one scale would lose the small ones; one of zeros.
        let rows = randomRows(11, shape.columns).enumerated().map { index, row in
            row.enumerated().map { column, value in
                let segment = column / shape.segment
                return segment == index % 3 ? 0 : value * Float(sign: .plus, exponent: -5 * segment, significand: 1)
            }
        }
        let grouping = Activations.Grouping.segments(columns: shape.segment)
        var matrix = try PackedMatrix([source], layout: layout)
        try expectSameBits(&matrix, rows, grouping: grouping)
        let values = try product(matrix, rows, grouping: grouping).map { Float(bitPattern: $0) }
        for (index, row) in rows.enumerated() {
            let grid = stride(from: 0, to: row.count, by: shape.segment).flatMap { first in
                let part = row[first..<min(first + shape.segment, row.count)].map(Double.init)
                let step = max(part.map(abs).max()!, 1e-30) / 127
                return part.map { ($0 / step).rounded(.toNearestOrEven) * step }
            }
            for (output, weights) in weights.enumerated() {
                let exact = zip(weights, grid).reduce(0) { $0 + Double($1.0) * $1.1 } * 0.5
                let magnitude = grid.reduce(0) { $0 + abs($1) }
                #expect(abs(Double(values[index * 40 + output]) - exact) <= 1e-6 * magnitude + 1e-7)
            }
        }
    }

    @Test func `every three digits count in every place of a row, by every kernel`() throws {
        // Row r has the digits of r mod 27 in triple r mod 32 of 96 columns, and zeros elsewhere.
        let rows = 27 * 32
        let (_, source, weights) = try ternary(rows: rows, columns: 96) { row, column in
            let (step, half, place) = (column / 24, column % 24 / 12, column % 12)
            guard step * 8 + half * 4 + place % 4 == row / 27 else { return 0 }
            return [1, 3, 9].map { row % 27 / $0 % 3 - 1 }[place / 4]
        }
        var matrix = try PackedMatrix([source], layout: .threeToAnIndex)
        // Of which no two sums of three are the same; 127 keeps the scale at one.
        var random = SeededGenerator(seed: 5)
        var input = (0..<96).map { _ in Float(Int.random(in: -127...127, using: &random)) }
        input[0] = 127
        let expected = weights.map { row in zip(row, input).reduce(Float(0)) { $0 + Float($1.0) * $1.1 } * 0.5 }
        for kernel in MatrixKernel.allCases {
            matrix.kernel = kernel
            for instructionSet in availableInstructionSets {
                for count in [1, 2] {
                    let bits = try product(
                        matrix, Array(repeating: input, count: count), instructionSet: instructionSet, grouping: .rows)
                    let values = bits.prefix(rows).map { Float(bitPattern: $0) }
                    #expect(
                        zip(values, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) },
                        "\(kernel), \(instructionSet)")
                }
            }
        }
    }

    @Test func `rows that are too wide for the tables are multiplied, with the same bits`() throws {
        let columns = 98_336
        let (_, source, _) = try ternary(rows: 4, columns: columns) { row, column in (row + column * column) % 3 - 1 }
        var matrix = try PackedMatrix([source], layout: .threeToAnIndex)
        try expectSameBits(&matrix, randomRows(2, columns), grouping: .rows)
    }

    @Test func `tiles of triples from a file are checked`() throws {
        let (_, source, _) = try ternary(rows: 16, columns: 32) { row, column in (row + column) % 3 - 1 }
        let packed = try PackedMatrix([source], layout: .threeToAnIndex)
        let folder = try TemporaryFolder()
        var output = try OutputFile(creating: folder.path + "/tiles")
        try packed.write(to: &output)
        let bytes = try folder.read("tiles")
        func load(_ bytes: [UInt8]) throws {
            let file = try TemporaryFile(bytes)
            _ = try PackedMatrix([
                TileSource(
                    name: "test", file: MappedFile(path: file.path), byteOffset: 0, layout: .l3, rows: 16, columns: 32,
                    scale: 1)
            ])
        }
        try load(bytes)
        // A magnitude of 14, and one behind the last column; the signs of the first steps come before them.
        for (index, byte) in [(64, UInt8(0x0e)), (64 + 16, 0xe0), (128 + 15, 0x00)] {
            var wrong = bytes
            wrong[index] = byte
            #expect(throws: KernelError.self) { try load(wrong) }
        }
    }

    @Test func `every layout, kernel and prefetch can be measured`() throws {
        let compute = try Compute(threadCount: 2, instructionSet: .best)
        let candidates = TileLayout.allCases.flatMap {
            KernelCandidate.all($0, columns: 320, groupColumns: $0.hasGroups ? 64 : nil)
        }
        #expect(candidates.count == (TileLayout.allCases.count + 5) * Prefetch.allCases.count)
        let rates = try compute.rates(of: candidates)
        #expect(rates.map(\.candidate) == candidates)
        #expect(rates.allSatisfy { $0.weightsPerSecond.isFinite && $0.weightsPerSecond > 0 })
        let impossible = KernelCandidate(layout: .b2, columns: 320, kernel: .lookUp)
        #expect(throws: KernelError.self) { try compute.rates(of: [impossible]) }
    }

    /// Blocks of 32: d = max|x| ⁄ 127, x ≈ d · round(x ⁄ d).
    private func quantiseByDefinition(_ values: [Float]) -> [Double] {
        stride(from: 0, to: values.count, by: 32).flatMap { first in
            let block = values[first..<first + 32]
            let largest = block.map(abs).max()!
            let (scale, inverse) = (largest / 127, 127 / largest)
            return block.map { Double(scale) * Double(($0 * inverse).rounded(.toNearestOrEven)) }
        }
    }
}
