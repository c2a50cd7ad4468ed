public import ModelTools
import Transport

extension ModelInspection {
    /// The inspection as people read it.
    public func text(width: Int, isColoured: Bool) -> String {
        let model = [
            ("model", path.printable), ("form", form), ("architecture", architectureText), ("layers", layersText),
            ("attention", attentionText), ("positions", positionsText), ("vocabulary", vocabularyText),
            ("context", "\(shape.contextLength) tokens"), ("parameters", Units.thousands(parameterCount)),
            ("size", "\(Units.bytes(UInt64(byteCount))) (\(Units.thousands(byteCount)) bytes)"), ("digest", digest),
        ]
        let facts = model.map { "\($0.0.padded(to: 14))\($0.1)" }
        let blocks = [
            facts, typeTable.lines(width: width, isColoured: isColoured),
            workerTable.lines(width: width, isColoured: isColoured),
        ]
        return blocks.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    private var architectureText: String {
        shape.architecture.printable + (shape.name.isEmpty ? "" : ", \(shape.name.printable)")
    }

    private var layersText: String {
        "\(shape.layerCount) of width \(shape.hiddenSize), feed-forward \(shape.feedForwardSize) with "
            + "\(shape.activation), RMS norm ε \(shape.normEpsilon)" + (shape.hasSubNorms ? ", sub-norms" : "")
    }

    private var attentionText: String {
        "\(shape.attentionHeadCount) heads of \(shape.headDimension), \(shape.keyValueHeadCount) for keys and values"
    }

    private var positionsText: String {
        let scaling =
            switch shape.rope.scaling {
            case "none": ""
            case "linear": ", angles divided by \(shape.rope.factor ?? 1)"
            default: ", angles divided by a factor for each pair"
            }
        return "RoPE of base \(shape.rope.base), \(shape.rope.rotatedDimension) values of a head, pairs "
            + "\(shape.rope.pairing)\(scaling)"
    }

    private var vocabularyText: String {
        "\(shape.vocabularySize) tokens, \(shape.hasTiedHead ? "embeddings are the head, too" : "a head of its own")"
    }

    private var typeTable: TextTable {
        let rows = types.map { total -> [TextTable.Cell] in
            [
                .init(total.type), .init("\(total.tensorCount)"), .init(Units.thousands(total.weightCount)),
                .init(Units.bytes(UInt64(total.byteCount))), .init(Units.decimal(total.bitsPerWeight, places: 2)),
            ]
        }
        let (tensors, weights, bytes) = types.reduce((0, 0, 0)) {
            ($0.0 + $1.tensorCount, $0.1 + $1.weightCount, $0.2 + $1.byteCount)
        }
        let bits = 8 * Double(bytes) / Double(max(weights, 1))
        let total: [TextTable.Cell] = [
            .init("total", style: .bold), .init("\(tensors)"), .init(Units.thousands(weights)),
            .init(Units.bytes(UInt64(bytes))), .init(Units.decimal(bits, places: 2)),
        ]
        return TextTable(
            columns: [
                .init("TYPE"), .init("TENSORS", .right), .init("WEIGHTS", .right), .init("SIZE", .right),
                .init("BITS", .right),
            ], rows: rows + [total])
    }

    private var workerTable: TextTable {
        let rows = workers.enumerated().map { index, part -> [TextTable.Cell] in
            let layers = part.firstLayer..<part.firstLayer + part.layerCount
            return [
                .init("\(index + 1)"), .init("\(layers.lowerBound)–\(layers.upperBound - 1)"),
                .init(Units.bytes(UInt64(part.weightsByteCount))),
                .init(part.embeddingByteCount > 0 ? Units.bytes(UInt64(part.embeddingByteCount)) : "–"),
                .init(Units.bytes(UInt64(part.keyValueByteCountPerThousandTokens))),
            ]
        }
        return TextTable(
            columns: [
                .init("WORKER", .right), .init("LAYERS", .right), .init("WEIGHTS", .right), .init("EMBEDDINGS", .right),
                .init("KV PER 1,000 TOKENS", .right),
            ], rows: rows)
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
