/// Names of processors, without what every one of them has.
public enum ProcessorName {
    private static let noise: Set<String> = ["CPU", "Processor", "processor", "with", "Graphics"]

    /// `AMD Ryzen 9 7950X 16-Core Processor` becomes `Ryzen 9 7950X`. The maker's name stays if little else does.
    public static func short(_ name: String) -> String {
        var words: [String] = []
        for word in name.split(separator: " ").map(String.init) {
            // What follows is the clock, or the graphics unit.
            if word.hasPrefix("@") || word == "w/" || word == "with" { break }
            let bare = word.replacing("(R)", with: "").replacing("(TM)", with: "").replacing("(tm)", with: "")
            if noise.contains(bare) || bare.isEmpty || bare.hasSuffix("-Core") { continue }
            // `13th Gen Intel…`
            if bare == "Gen", words.count == 1, words[0].first?.isNumber == true {
                words = []
                continue
            }
            words.append(bare)
        }
        if words.count > 2, words[0] == "AMD" || words[0] == "Intel" { words.removeFirst() }
        return words.joined(separator: " ")
    }
}
