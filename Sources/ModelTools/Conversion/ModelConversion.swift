public import Checkpoints
import Inference
public import Kernels
public import Transport

/// Writes a model in the tiles that kernels read, so that loading it is a copy.
public struct ModelConversion: Sendable {
    private let model: ModelFile
    private let plan: TilePlan

    /// Bytes that are copied at a time.
    private static let pieceByteCount = 1 << 20

    /// - Parameter planes: what the layers' matrices are quantised to; nil leaves them as they are.
    /// - Throws: `.request` if the model is converted already, is ternary but to be quantised, or has shapes that no kernel
    ///   has.
    public init(
        _ model: ModelFile, ternaryLayout: TernaryLayout, headPrecision: HeadPrecision,
        quantising planes: BitPlanes? = nil
    ) throws(ModelToolError) {
        self.model = model
        do throws(InferenceError) {
            plan = try TilePlan(
                model: model, ternaryLayout: ternaryLayout, headPrecision: headPrecision, quantising: planes)
        } catch {
            throw .request(error.description)
        }
    }

    /// Writes the folder, which appears whole or not at all. Cancelling the task ends the work.
    ///
    /// - Returns: what quantising has cost; nothing if it was not asked for.
    @discardableResult public func write(
        to path: String, progress: (WorkProgress) -> Void = { _ in }
    ) async throws(ModelToolError) -> ConversionLoss {
        let header = header
        var folder = try OutputFolder(path: path, byteCount: header.dataByteCount + companionByteCount)
        switch model.source {
        case .gguf(let gguf): try folder.write(GGUFHeaderCopy.bytes(gguf), to: ConvertedModel.headerName)
        // Refused by `init`.
        case .converted: break
        case .folder(let original):
            for name in original.companionNames where name != CheckpointFolder.index {
                guard let file = original.file(name) else { continue }
                try folder.write(file.bytes(in: 0..<file.byteCount) ?? [], to: name)
            }
        }
        let loss = try await writeTiles(header, in: folder, progress)
        try folder.finish()
        return loss
    }

    private var header: SafeTensorsHeader {
        var metadata = [
            (key: ConvertedModel.versionKey, value: ConvertedModel.version),
            (key: ConvertedModel.tiedHeadKey, value: "\(model.hasTiedHead)"),
            (key: ConvertedModel.originalDigestKey, value: model.headerDigest.hexadecimal),
        ]
        metadata += plan.entries.map { (key: $0.name, value: $0.record.text) }
        let entries = plan.entries.map { entry in
            let byteCount = Self.padded(entry.record.byteCount)
            return SafeTensorsHeader.Entry(name: entry.name, type: "U8", shape: [byteCount], byteCount: byteCount)
        }
        return SafeTensorsHeader(entries: entries, metadata: metadata)
    }

    private static func padded(_ byteCount: Int) -> Int {
        (byteCount + ConvertedModel.alignment - 1) / ConvertedModel.alignment * ConvertedModel.alignment
    }

    /// About what is beside the tiles.
    private var companionByteCount: Int {
        switch model.source {
        case .gguf(let gguf): gguf.headerByteCount + 1 << 20
        case .folder(let folder): folder.companionNames.reduce(1 << 20) { $0 + (folder.file($1)?.byteCount ?? 0) }
        case .converted: 0
        }
    }

    private func writeTiles(
        _ header: SafeTensorsHeader, in folder: borrowing OutputFolder, _ progress: (WorkProgress) -> Void
    ) async throws(ModelToolError) -> ConversionLoss {
        var file = try folder.makeFile(ConvertedModel.tilesName)
        var loss = ConversionLoss()
        var done = 0
        do {
            try file.write(header.bytes(alignment: ConvertedModel.alignment))
            for entry in plan.entries {
                guard !Task.isCancelled else { throw ModelToolError.interrupted }
                // On a single processor, whoever is to cancel this must get a turn.
                await Task.yield()
                progress(
                    WorkProgress(what: entry.name, doneByteCount: done, totalByteCount: header.dataByteCount))
                let start = file.byteCount
                if entry.record.tiles != nil {
                    let packed = try plan.pack(entry)
                    try packed.write(to: &file)
                    loss.add(packed.measuredLoss, of: entry)
                } else {
                    try copy(entry.tensor, to: &file)
                }
                let byteCount = file.byteCount - start
                guard byteCount == entry.record.byteCount else {
                    throw ModelToolError.request(
                        "\(entry.name): \(byteCount) bytes of tiles, not \(entry.record.byteCount); this is a defect of this "
                            + "program: report it")
                }
                try file.write([UInt8](repeating: 0, count: Self.padded(byteCount) - byteCount))
                done += Self.padded(byteCount)
            }
            try file.synchronise()
            return loss
        } catch let error as ModelToolError {
            throw error
        } catch let error as InferenceError {
            throw .request(error.description)
        } catch {
            throw .output("\(error)")
        }
    }

    private func copy(_ tensor: TensorDescription, to file: inout OutputFile) throws(OutputFileError) {
        let range = tensor.byteRange
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
            let piece = start..<min(start + Self.pieceByteCount, range.upperBound)
            try file.write(tensor.file.bytes(in: piece) ?? [])
            tensor.file.adviseDontNeed(piece)
        }
    }
}
