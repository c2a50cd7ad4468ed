public import ModelTools

extension ConversionLoss {
    /// The loss as people read it: a line for each kind of matrix, and one for all.
    public func text(width: Int, isColoured: Bool) -> String {
        let rows = kinds.map { kind -> [TextTable.Cell] in
            // A float16 scale and minimum for each group.
            let bits = Double(kind.bits) + 32 / Double(kind.groupColumns)
            return [
                .init(kind.name), .init(Units.thousands(kind.weightCount)), .init("\(kind.groupColumns)"),
                .init(Units.decimal(bits, places: 2)), .init("\(Units.significant(100 * kind.relative)) %"),
            ]
        }
        let total: [TextTable.Cell] = [
            .init("all", style: .bold), .init(Units.thousands(kinds.reduce(0) { $0 + $1.weightCount })), .init(""),
            .init(""), .init("\(Units.significant(100 * relative)) %"),
        ]
        let table = TextTable(
            columns: [
                .init("MATRIX"), .init("WEIGHTS", .right), .init("GROUP", .right), .init("BITS", .right),
                .init("LOSS", .right),
            ], rows: rows + [total])
        return table.lines(width: width, isColoured: isColoured).joined(separator: "\n")
    }
}
