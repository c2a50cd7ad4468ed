import Transport

extension BenchmarkReport {
    /// One Markdown table of everything, and what there is to say of it.
    public var text: String {
        let titles = ["threads", "", "tok/s", "peer", "ratio", "rate", "roof", "share"]
        let hidden = peer == nil ? Set([3, 4]) : []
        let columns = titles.indices.filter { !hidden.contains($0) }
        let table = TextTable(
            columns: columns.map { .init(titles[$0], $0 == 1 ? .left : .right) },
            rows: runs.flatMap(Self.rows).map { row in columns.map { .init(row[$0]) } })
        return ([heading, ""] + table.markdown + notes.flatMap { ["", $0] }).joined(separator: "\n")
    }

    private var heading: String { "\(cpu.printable), \(instructionSet), \(build) build" }

    private static func rows(_ run: BenchmarkRun) -> [[String]] {
        let (read, dot) = (bytes(run.roofs.readBytesPerSecond), products(run.roofs.dotProductsPerSecond))
        var rows = [["read roof", "", "", "", "", read, ""], ["dot-product roof", "", "", "", "", dot, ""]]
        rows += run.kernels.map { kernel in
            let shape = "\(kernel.operation) \(kernel.type) \(kernel.rows)×\(kernel.columns)"
            return kernel.batch == 1
                ? [shape, "", "", "", bytes(kernel.bytesPerSecond), read, share(kernel.shareOfRoof)]
                : [
                    "\(shape)×\(kernel.batch)", "", "", "", products(kernel.multiplyAddsPerSecond), dot,
                    share(kernel.shareOfRoof),
                ]
        }
        if let model = run.model {
            rows += model.candidates.map { candidate in
                let groups = candidate.groupColumns.map { "/\($0)" } ?? ""
                let name =
                    "\(candidate.layout)\(groups) by \(candidate.kernel), prefetch \(candidate.prefetch), \(candidate.columns) columns"
                return [
                    candidate.isChosen ? "\(name), chosen" : name, "", "", "",
                    products(candidate.multiplyAddsPerSecond), "", "",
                ]
            }
            rows.append(row("prefill of \(model.prefill.tokens) tokens", model.prefill, products))
            rows.append(row("decode of \(model.decode.tokens) tokens", model.decode, bytes))
        }
        return rows.map { ["\(run.threads)"] + $0 }
    }

    private static func row(_ name: String, _ phase: PhaseFigures, _ rate: (Double) -> String) -> [String] {
        [
            name, Units.significant(phase.tokensPerSecond), phase.peerTokensPerSecond.map(Units.significant) ?? "",
            phase.ratio.map { "\(Units.decimal($0, places: 2)) ×" } ?? "", rate(phase.workPerSecond), rate(phase.roof),
            share(phase.shareOfRoof),
        ]
    }

    private var notes: [String] {
        var notes: [String] = []
        if let model = runs.compactMap(\.model).first {
            notes.append(
                "\(model.name.printable): \(Units.bytes(UInt64(model.weightsByteCount))) of weights, loaded in "
                    + "\(Units.decimal(model.loadSeconds, places: 1)) s. Medians of rounds: \(model.decode.rounds.count); "
                    + "decode from an empty context.")
        }
        if let peer { notes.append("peer: \(peer.printable), a turn in each round; ratios are those of the rounds.") }
        for run in runs {
            guard let origin = run.model?.candidatesOrigin else { continue }
            notes.append("rates of layouts, kernels and prefetches, threads \(run.threads): \(origin.printable)")
        }
        return notes
    }

    private static func bytes(_ rate: Double) -> String { "\(Units.decimal(rate / 1e9, places: 1)) GB/s" }
    private static func products(_ rate: Double) -> String { "\(Units.decimal(rate / 1e9, places: 1)) GMAC/s" }
    private static func share(_ share: Double) -> String { Units.percent(share, of: 1) }
}
