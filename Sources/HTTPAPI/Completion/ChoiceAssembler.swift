import ClusterCore
import Transport

/// A generated token as log-probabilities report it.
struct ReportedToken: Codable, Sendable, Equatable {
    var choice: TokenChoice
    /// Where its text begins in the choice's text, in Unicode code points.
    var textOffset: Int
}

/// What a choice's text grew by.
struct ChoiceDelta: Codable, Sendable, Equatable {
    var text = ""
    /// Tokens whose text begins in what has been released so far, unless log-probabilities are off.
    var tokens: [ReportedToken] = []
    /// Set once, in the last delta.
    var finishReason: FinishReason?

    var isEmpty: Bool { text.isEmpty && tokens.isEmpty && finishReason == nil }
}

/// Makes the text of one choice from its tokens: decodes, finds stop strings, and keeps log-probabilities in step with
/// the text that is released.
struct ChoiceAssembler: Sendable {
    struct Options: Codable, Sendable {
        /// UTF-8, none empty.
        var stopStrings: [[UInt8]] = []
        var skipsSpecialTokens = true
        var reportsTokens = false
        /// Tokens that end this generation and are not part of the text.
        var silentStopTokens: [Int32] = []
    }

    private let options: Options
    private let codec: any TextCodec
    private var decoder: any TextDecoder
    private var matcher: StopMatcher
    /// Code points decoded and released so far.
    private var decodedLength: Int
    private var releasedLength: Int
    private var unreported: [ReportedToken] = []
    /// Tokens generated, whatever became of their text.
    private(set) var tokenCount = 0
    private(set) var finishReason: FinishReason?

    /// - Parameter textOffset: code points of an echoed prompt that precede the generated text.
    init(codec: any TextCodec, options: Options, textOffset: Int = 0) {
        self.codec = codec
        self.options = options
        decoder = codec.makeDecoder()
        matcher = StopMatcher(options.stopStrings)
        decodedLength = textOffset
        releasedLength = textOffset
    }

    /// Takes the next generated token. A finish reason in the result means that a stop string was found: the rest of
    /// the generation is not wanted.
    mutating func append(_ choice: TokenChoice) -> ChoiceDelta {
        if finishReason != nil { return ChoiceDelta() }
        tokenCount += 1
        if options.silentStopTokens.contains(choice.token) { return ChoiceDelta() }
        if options.reportsTokens { unreported.append(ReportedToken(choice: choice, textOffset: decodedLength)) }
        if options.skipsSpecialTokens, codec.isSpecial(choice.token) { return ChoiceDelta() }
        return take(decoder.append(choice.token))
    }

    /// The generation has ended by itself.
    mutating func finish(_ reason: FinishReason) -> ChoiceDelta {
        if finishReason != nil { return ChoiceDelta() }
        var delta = take(decoder.finish())
        if delta.finishReason != nil { return delta }
        finishReason = reason
        delta.text += matcher.finish()
        delta.tokens += unreported
        delta.finishReason = reason
        unreported = []
        return delta
    }

    private mutating func take(_ text: String) -> ChoiceDelta {
        decodedLength += text.unicodeScalars.count
        let released = matcher.append(text)
        releasedLength += released.unicodeScalars.count
        // A token without text of its own waits for the text behind it, which decides whether a stop string cuts it
        // off.
        let count = unreported.prefix { $0.textOffset < releasedLength }.count
        let delta = ChoiceDelta(
            text: released, tokens: Array(unreported.prefix(count)), finishReason: matcher.hasStopped ? .stop : nil)
        unreported.removeFirst(count)
        if matcher.hasStopped {
            finishReason = .stop
            unreported = []
        }
        return delta
    }
}
