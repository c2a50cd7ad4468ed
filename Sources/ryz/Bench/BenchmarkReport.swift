import OperatorTools

/// All that was measured.
struct BenchmarkReport: Encodable {
    var cpu: String
    var instructionSet: String
    var threads: Int
    var build: String
    var roofs: Roofs
    var kernels: [KernelFigures]
    var model: ModelFigures?

    private enum CodingKeys: String, CodingKey {
        case cpu, threads, build, roofs, kernels, model
        case instructionSet = "instruction_set"
    }

    var text: String {
        var lines = [
            "\(cpu), \(instructionSet), \(threads) \(threads == 1 ? "thread" : "threads"), \(build) build", "",
            line("read roof", rates(bytes: roofs.readBytesPerSecond)),
            line("dot-product roof", rates(products: roofs.dotProductsPerSecond)), "",
        ]
        lines += kernels.map { kernel in
            let shape = "\(kernel.operation) \(kernel.type) \(kernel.rows)×\(kernel.columns)"
            return line(
                kernel.batch == 1 ? shape : "\(shape)×\(kernel.batch)",
                rates(bytes: kernel.bytesPerSecond, products: kernel.multiplyAddsPerSecond)
                    + share(kernel.shareOfRoof, of: kernel.batch == 1 ? "read" : "dot-product"))
        }
        if let model {
            lines += ["", title(of: model)]
            lines += model.candidates.map { candidate in
                let groups = candidate.groupColumns.map { "/\($0)" } ?? ""
                return line(
                    "\(candidate.layout)\(groups) \(candidate.kernel), \(candidate.columns) columns",
                    rates(products: candidate.multiplyAddsPerSecond) + (candidate.isChosen ? "  chosen" : ""))
            }
            if let origin = model.candidatesOrigin { lines.append(line("these rates", origin)) }
            lines += [
                line("prefill of \(model.prefill.tokens)", phase(model.prefill, roof: "dot-product")),
                line("decode of \(model.decode.tokens)", phase(model.decode, roof: "read")),
            ]
        }
        return lines.joined(separator: "\n")
    }

    private func title(of model: ModelFigures) -> String {
        let size = Units.bytes(UInt64(model.weightsByteCount))
        return "\(model.name), \(size) of weights, loaded in \(Units.decimal(model.loadSeconds, places: 1)) s"
    }

    private func line(_ name: String, _ figures: String) -> String {
        name + String(repeating: " ", count: max(1, 28 - name.count)) + figures
    }

    private func phase(_ phase: PhaseFigures, roof: String) -> String {
        column(Units.decimal(phase.tokensPerSecond, places: 1), "tok/s")
            + rates(bytes: phase.bytesPerSecond, products: phase.multiplyAddsPerSecond)
            + share(phase.shareOfRoof, of: roof)
    }

    private func rates(bytes: Double? = nil, products: Double? = nil) -> String {
        (bytes.map { column(Units.decimal($0 / 1e9, places: 1), "GB/s") } ?? "")
            + (products.map { column(Units.decimal($0 / 1e9, places: 1), "GMAC/s") } ?? "")
    }

    private func column(_ value: String, _ unit: String) -> String {
        String(repeating: " ", count: max(0, 9 - value.count)) + "\(value) \(unit)"
    }

    private func share(_ share: Double, of roof: String) -> String {
        "  \(column(Units.percent(share, of: 1), "of the \(roof) roof").drop { $0 == " " })"
    }
}
