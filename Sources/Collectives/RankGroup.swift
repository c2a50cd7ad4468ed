public import Kernels
public import Transport

/// The ranks of a stage as one of them sees them: what combines the parts that each has computed.
///
/// All ranks call the same operations in the same order with the same numbers of rows. The results are the same on all
/// of them, whatever the order in which the parts arrive, since only integers are added.
public struct RankGroup {
    /// Nil for a stage of a single rank.
    private let links: (any RankLinks)?

    /// A stage of a single rank, which has nothing to combine.
    public static var alone: RankGroup { RankGroup(links: nil) }

    public init(_ links: any RankLinks) { self.links = links }

    private init(links: (any RankLinks)?) { self.links = links }

    public var rank: Int { links?.rank ?? 0 }
    public var rankCount: Int { links?.rankCount ?? 1 }
    public var isAlone: Bool { rankCount == 1 }

    /// Vectors of at least this many bytes for each rank are reduced by parts and then gathered, where there are more than
    /// two ranks: each then sends twice its share of the vector instead of the whole to every other.
    private static let scatterByteCount = 16 << 10

    /// Says which step comes next.
    public func begin(_ step: StepID, rowCount: Int) { links?.begin(step, rowCount: rowCount) }

    /// Most bytes that a row of what is combined may have.
    public var maximumRowByteCount: Int { links?.maximumPostByteCount ?? .max }

    /// Combines the first `rows` rows over all ranks (all-reduce).
    public func combine(_ sums: inout SumBuffer, rows: Int) throws(ExchangeError) {
        guard let links, rankCount > 1, rows > 0 else { return }
        let chunks = Chunks(rows: rows, rowByteCount: sums.rowByteCount, limit: links.maximumPostByteCount)
        let rowsPerRank = chunks.rowsPerChunk / rankCount
        if rankCount > 2, rowsPerRank > 0, rowsPerRank * sums.rowByteCount >= Self.scatterByteCount {
            for chunk in 0..<chunks.count { try scatterAndGather(&sums, chunks[chunk], links) }
        } else {
            try exchange(&sums, chunks, links)
        }
    }

    /// Every rank sends everything to every other. The next chunk is on its way while one is added up.
    private func exchange(
        _ sums: inout SumBuffer, _ chunks: Chunks, _ links: any RankLinks
    ) throws(ExchangeError) {
        var posted = 0
        for current in 0..<chunks.count {
            while posted < chunks.count, posted <= current + 1 {
                try sums.withBytes(rows: chunks[posted]) { bytes throws(ExchangeError) in try links.post(bytes) }
                posted += 1
            }
            let rows = chunks[current]
            for other in 0..<rankCount where other != rank {
                try links.read(from: other, byteCount: rows.count * sums.rowByteCount) { bytes in
                    sums.combine(rows: rows, with: bytes)
                }
            }
            links.finishRound()
        }
    }

    /// Rank r adds up its share of the rows and then gives it to all (Rabenseifner, 2004).
    private func scatterAndGather(
        _ sums: inout SumBuffer, _ rows: Range<Int>, _ links: any RankLinks
    ) throws(ExchangeError) {
        let (size, count) = (sums.rowByteCount, rankCount)
        func share(_ rank: Int) -> Range<Int> {
            rows.lowerBound + rows.count * rank / count..<rows.lowerBound + rows.count * (rank + 1) / count
        }
        try sums.withBytes(rows: rows) { bytes throws(ExchangeError) in
            try links.post(bytes) { rank in
                (share(rank).lowerBound - rows.lowerBound) * size..<(share(rank).upperBound - rows.lowerBound) * size
            }
        }
        for other in 0..<count where other != rank {
            try links.read(from: other, byteCount: share(rank).count * size) { bytes in
                sums.combine(rows: share(rank), with: bytes)
            }
        }
        links.finishRound()
        try sums.withBytes(rows: share(rank)) { bytes throws(ExchangeError) in try links.post(bytes) }
        for other in 0..<count where other != rank {
            try links.read(from: other, byteCount: share(other).count * size) { bytes in
                sums.replace(rows: share(other), by: bytes)
            }
        }
        links.finishRound()
    }

    /// Brings ranks' neighbouring columns of some rows together on rank 0 (gather).
    ///
    /// - Parameters:
    ///   - part: this rank's columns, `[rows × its columns]`; any rows and columns that it has beyond that are not sent.
    ///   - columns: which columns of the whole each rank has; none for a rank that takes no part.
    ///   - whole: `[rows × all columns]`; touched on rank 0 only.
    public func gather(
        _ part: borrowing Tensor, rows: Int, columns: [Range<Int>], into whole: inout Tensor
    ) throws(ExchangeError) {
        precondition(columns.count == rankCount)
        if rank == 0 {
            for row in 0..<rows where !columns[0].isEmpty {
                part.withBytes(row: row, columns: 0..<columns[0].count) { bytes in
                    whole.assign(row: row, columns: columns[0], bytes)
                }
            }
        }
        guard let links, rankCount > 1 else { return }
        // Rank 0 says in each round that it has come to it, so that nobody sends it more than it can hold.
        var openRoundCount = 0
        let pieceColumns = links.maximumPostByteCount / 4
        let widest = columns.dropFirst().map(\.count).max() ?? 0
        for row in 0..<rows {
            for first in stride(from: 0, to: widest, by: pieceColumns) {
                func piece(_ rank: Int) -> Range<Int> {
                    min(first, columns[rank].count)..<min(first + pieceColumns, columns[rank].count)
                }
                try part.withBytes(row: row, columns: rank == 0 ? 0..<1 : piece(rank)) { bytes throws(ExchangeError) in
                    try links.post(bytes) { ($0 == 0) == (rank == 0) ? 0..<0 : 0..<bytes.byteCount }
                }
                openRoundCount += 1
                if rank == 0 {
                    for other in 1..<rankCount where !piece(other).isEmpty {
                        let target = piece(other).lowerBound + columns[other].lowerBound
                        try links.read(from: other, byteCount: piece(other).count * 4) { bytes in
                            whole.assign(row: row, columns: target..<target + piece(other).count, bytes)
                        }
                    }
                    links.finishRound()
                } else if openRoundCount == 2 {
                    try awaitRoot(links)
                    openRoundCount -= 1
                }
            }
        }
        if rank != 0, openRoundCount > 0 { try awaitRoot(links) }
    }

    /// Ends the oldest round of a gathering once rank 0 has come to it.
    private func awaitRoot(_ links: any RankLinks) throws(ExchangeError) {
        try links.read(from: 0, byteCount: 4) { _ in }
        links.finishRound()
    }
}

/// Rows in runs that fit a post.
private struct Chunks {
    let rows: Int
    let rowsPerChunk: Int

    init(rows: Int, rowByteCount: Int, limit: Int) {
        precondition(rowByteCount <= limit)
        self.rows = rows
        rowsPerChunk = min(rows, limit / rowByteCount)
    }

    var count: Int { (rows + rowsPerChunk - 1) / rowsPerChunk }

    subscript(index: Int) -> Range<Int> { index * rowsPerChunk..<min((index + 1) * rowsPerChunk, rows) }
}
