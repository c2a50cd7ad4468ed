import ClusterCore
import Foundation
import Transport

/// What the journal says, in the order in which it happened. Times are seconds since 1970.
enum JournalRecord: Codable, Equatable {
    /// A placement was opened.
    case epoch(UInt64)
    /// Who is to hold nothing from now on, in the place of those before.
    case drained([String])
    /// What tells the model, and the settings that change its answers, from others. Streams are of this one from now on.
    case model(String)
    case stream(KeptStream, at: Int)
    /// A request of a stream was let in. Its number is what later records call it by.
    case request(UInt32, GenerationRequest, at: Int)
    /// So many of its tokens were not computed, as those of an earlier request were at hand.
    case reused(UInt32, tokenCount: Int)
    /// A token was sampled for it.
    case token(UInt32, TokenChoice)
    case state(UInt32, RequestState, at: Int)

    enum RequestState: String, Codable {
        /// It runs or waits.
        case open
        /// It was given up; what it has sampled is kept.
        case idle
        case stopped, reachedLimit
    }
}

extension JournalRecord {
    /// The first byte tells tokens, which are many, from the rest, which is JSON.
    var bytes: [UInt8] {
        guard case .token(let number, let choice) = self else {
            let encoder = JSONEncoder()
            return [0] + ((try? encoder.encode(self)).map { [UInt8]($0) } ?? [])
        }
        var bytes: [UInt8] = [choice.logProbability == nil ? 1 : 2]
        bytes.append(number)
        bytes.append(UInt32(bitPattern: choice.token))
        guard let logProbability = choice.logProbability else { return bytes }
        bytes.append(logProbability.bitPattern)
        for entry in choice.top {
            bytes.append(UInt32(bitPattern: entry.token))
            bytes.append(entry.logProbability.bitPattern)
        }
        return bytes
    }

    /// Nil if that is no record.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let kind = bytes.first else { return nil }
        let rest = bytes.dropFirst()
        guard kind != 0 else {
            guard let record = try? JSONDecoder().decode(Self.self, from: Data(rest)) else { return nil }
            self = record
            return
        }
        guard rest.count % 4 == 0 else { return nil }
        let words = stride(from: rest.startIndex, to: rest.endIndex, by: 4).map { index in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(rest[index + $1]) << (8 * $1) }
        }
        switch (kind, words.count) {
        case (1, 2):
            self = .token(words[0], TokenChoice(token: Int32(bitPattern: words[1])))
        case (2, 3...) where words.count % 2 == 1:
            let top = stride(from: 3, to: words.count, by: 2).map {
                TokenLogProbability(
                    token: Int32(bitPattern: words[$0]), logProbability: Float(bitPattern: words[$0 + 1]))
            }
            self = .token(
                words[0],
                TokenChoice(
                    token: Int32(bitPattern: words[1]), logProbability: Float(bitPattern: words[2]), top: top))
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ word: UInt32) {
        for shift in 0..<4 { append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
    }
}
