import Kernels

extension GGUFReader {
    /// The list of tensors, each within the file and apart from the others, and where the data begins.
    mutating func readTensors(
        count: Int, alignment: Int
    ) throws(CheckpointError) -> (tensors: [GGUFTensor], headerByteCount: Int) {
        var entries: [(tensor: GGUFTensor, relativeOffset: UInt64)] = []
        var names: Set<String> = []
        for index in 0..<count {
            let entry = try readTensor(place: "tensor \(index + 1) of \(count)")
            guard names.insert(entry.tensor.name).inserted else {
                throw malformed(
                    entry.tensor.name, at: entry.tensor.entryByteOffset, "the tensor is listed twice",
                    "convert the model again")
            }
            entries.append(entry)
        }
        let headerByteCount = (offset + alignment - 1) / alignment * alignment
        var tensors: [GGUFTensor] = []
        for entry in entries {
            tensors.append(
                try place(entry.tensor, relativeOffset: entry.relativeOffset, from: headerByteCount, alignment))
        }
        try checkOverlaps(tensors)
        // A file without tensors may end before the padding does.
        return (tensors, min(headerByteCount, file.byteCount))
    }

    private mutating func readTensor(
        place: String
    ) throws(CheckpointError) -> (tensor: GGUFTensor, relativeOffset: UInt64) {
        let start = offset
        let name = try name(place, limit: Self.maximumTensorNameByteCount)
        let dimensionCount = try unsigned(name, "its number of dimensions", UInt32.self)
        guard (1...4).contains(dimensionCount) else {
            throw malformed(
                name, at: start, "it has \(dimensionCount) dimensions, not 1 to 4", "convert the model again")
        }
        var dimensions: [Int] = []
        var valueCount = 1
        for _ in 0..<dimensionCount {
            let size = try unsigned(name, "its dimensions", UInt64.self)
            let (product, overflows) = valueCount.multipliedReportingOverflow(by: Int(clamping: size))
            guard size > 0, size <= Self.maximumDimension, !overflows, product <= Self.maximumDimension else {
                throw malformed(
                    name, at: start, "dimension \(dimensions.count) has size \(size), which is zero or too large",
                    "the file is damaged: fetch it again")
            }
            valueCount = product
            dimensions.append(Int(size))
        }
        let type = GGMLType(id: try unsigned(name, "its type", UInt32.self))
        let relativeOffset = try unsigned(name, "its offset", UInt64.self)
        let byteCount = type.byteCount(valueCount: valueCount, rowLength: dimensions[0])
        if byteCount == nil, let blockSize = type.blockSize {
            throw malformed(
                name, at: start,
                "its rows of \(dimensions[0]) values are not whole blocks of \(blockSize) (\(type))",
                "quantise the model again")
        }
        let tensor = GGUFTensor(
            name: name, type: type, dimensions: dimensions, byteOffset: 0, byteCount: byteCount,
            entryByteOffset: start)
        return (tensor, relativeOffset)
    }

    /// The tensor at its place in the file, which must be aligned and within it.
    private func place(
        _ tensor: GGUFTensor, relativeOffset: UInt64, from dataStart: Int, _ alignment: Int
    ) throws(CheckpointError) -> GGUFTensor {
        guard relativeOffset % UInt64(alignment) == 0 else {
            throw malformed(
                tensor.name, at: tensor.entryByteOffset,
                "its offset \(relativeOffset) is not a multiple of the alignment, \(alignment)",
                "convert the model again")
        }
        let room = UInt64(max(0, file.byteCount - dataStart))
        // A tensor of unknown layout takes at least one byte.
        guard relativeOffset <= room, UInt64(tensor.byteCount ?? 1) <= room - relativeOffset else {
            let size = tensor.byteCount.map { "its \($0) bytes" } ?? "its data"
            throw malformed(
                tensor.name, at: tensor.entryByteOffset,
                "\(size) at offset \(relativeOffset) end past the \(room) bytes of tensor data in the file",
                "the file is cut short or damaged: fetch it again")
        }
        return GGUFTensor(
            name: tensor.name, type: tensor.type, dimensions: tensor.dimensions,
            byteOffset: dataStart + Int(relativeOffset), byteCount: tensor.byteCount,
            entryByteOffset: tensor.entryByteOffset)
    }

    private func checkOverlaps(_ tensors: [GGUFTensor]) throws(CheckpointError) {
        let ordered = tensors.sorted { ($0.byteOffset, $0.entryByteOffset) < ($1.byteOffset, $1.entryByteOffset) }
        for (first, second) in zip(ordered, ordered.dropFirst())
        where second.byteOffset < first.byteOffset + (first.byteCount ?? 1) {
            throw malformed(
                second.name, at: second.entryByteOffset, "its data overlaps that of \(first.name)",
                "the file is damaged: fetch it again")
        }
    }
}
