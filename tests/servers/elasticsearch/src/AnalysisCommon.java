package org.elasticsearch.node;

import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.CharArraySet;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.charfilter.HTMLStripCharFilter;
import org.apache.lucene.analysis.core.KeywordTokenizer;
import org.apache.lucene.analysis.core.WhitespaceTokenizer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.en.EnglishMinimalStemFilter;
import org.apache.lucene.analysis.en.EnglishPossessiveFilter;
import org.apache.lucene.analysis.en.KStemFilter;
import org.apache.lucene.analysis.en.PorterStemFilter;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.LengthFilter;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.miscellaneous.SetKeywordMarkerFilter;
import org.apache.lucene.analysis.miscellaneous.TrimFilter;
import org.apache.lucene.analysis.ngram.EdgeNGramTokenFilter;
import org.apache.lucene.analysis.path.PathHierarchyTokenizer;
import org.apache.lucene.analysis.pattern.PatternReplaceCharFilter;
import org.apache.lucene.analysis.pattern.PatternTokenizer;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.apache.lucene.analysis.synonym.SolrSynonymParser;
import org.apache.lucene.analysis.synonym.SynonymGraphFilter;
import org.apache.lucene.analysis.synonym.SynonymMap;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.IndexService.IndexCreationContext;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.index.analysis.AbstractIndexAnalyzerProvider;
import org.elasticsearch.index.analysis.AnalyzerProvider;
import org.elasticsearch.index.analysis.CharFilterFactory;
import org.elasticsearch.index.analysis.CustomAnalyzer;
import org.elasticsearch.index.analysis.NormalizingCharFilterFactory;
import org.elasticsearch.index.analysis.NormalizingTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;

/**
 * The part of Elasticsearch's module analysis-common (not on Maven Central) that a news index needs, under the same names,
 * parameters and defaults; the work is done by Lucene's own classes. The server itself has: standard tokenizer, lowercase,
 * stop, shingle, hunspell, and the analyzers standard, simple, stop, whitespace, keyword.
 */
public final class AnalysisCommon extends Plugin implements AnalysisPlugin {
    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        Map<String, AnalysisProvider<TokenFilterFactory>> m = new HashMap<>();
        m.put("asciifolding", (i, e, name, s) -> {
            boolean keep = s.getAsBoolean("preserve_original", false);
            return new NormalizingTokenFilterFactory() { // "normalizing": usable in a keyword normalizer too
                @Override public String name() { return name; }
                @Override public TokenStream create(TokenStream in) { return new ASCIIFoldingFilter(in, keep); }
                @Override public TokenStream normalize(TokenStream in) { return new ASCIIFoldingFilter(in); }
            };
        });
        m.put("trim", (i, e, name, s) -> new NormalizingTokenFilterFactory() {
            @Override public String name() { return name; }
            @Override public TokenStream create(TokenStream in) { return new TrimFilter(in); }
        });
        m.put("porter_stem", (i, e, name, s) -> filter(name, PorterStemFilter::new));
        m.put("kstem", (i, e, name, s) -> filter(name, KStemFilter::new));
        m.put("remove_duplicates", (i, e, name, s) -> filter(name, RemoveDuplicatesTokenFilter::new));
        m.put("stemmer", (i, e, name, s) -> {
            String language = s.get("language", s.get("name", "porter"));
            return filter(name, switch (language) {
                case "english", "porter" -> PorterStemFilter::new;
                case "light_english", "kstem" -> KStemFilter::new;
                case "minimal_english" -> EnglishMinimalStemFilter::new;
                case "possessive_english" -> EnglishPossessiveFilter::new;
                case "porter2" -> in -> new SnowballFilter(in, "English");
                default -> throw new IllegalArgumentException("this node knows no stemmer [" + language + "]");
            });
        });
        m.put("length", (i, e, name, s) -> {
            int min = s.getAsInt("min", 0), max = s.getAsInt("max", Integer.MAX_VALUE);
            return filter(name, in -> new LengthFilter(in, min, max));
        });
        m.put("keyword_marker", (i, e, name, s) -> {
            CharArraySet words = new CharArraySet(s.getAsList("keywords"), s.getAsBoolean("ignore_case", false));
            return filter(name, in -> new SetKeywordMarkerFilter(in, words));
        });
        m.put("edge_ngram", (i, e, name, s) -> {
            int min = s.getAsInt("min_gram", 1), max = s.getAsInt("max_gram", 2);
            boolean keep = s.getAsBoolean("preserve_original", false);
            return filter(name, in -> new EdgeNGramTokenFilter(in, min, max, keep));
        });
        m.put("synonym_graph", AnalysisPlugin.requiresAnalysisSettings((i, e, name, s) -> new SynonymGraph(name, s)));
        return m;
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of(
            "pattern", (i, e, name, s) -> {
                Pattern p = Pattern.compile(s.get("pattern", "\\W+"));
                int group = s.getAsInt("group", -1);
                return TokenizerFactory.newFactory(name, () -> new PatternTokenizer(p, group));
            },
            "keyword", (i, e, name, s) -> TokenizerFactory.newFactory(name, KeywordTokenizer::new),
            "whitespace", (i, e, name, s) -> TokenizerFactory.newFactory(name, WhitespaceTokenizer::new),
            "path_hierarchy", (i, e, name, s) -> TokenizerFactory.newFactory(name, PathHierarchyTokenizer::new));
    }

    @Override
    public Map<String, AnalysisProvider<CharFilterFactory>> getCharFilters() {
        return Map.of(
            "html_strip", (i, e, name, s) -> charFilter(name, HTMLStripCharFilter::new),
            "pattern_replace", AnalysisPlugin.requiresAnalysisSettings((i, e, name, s) -> {
                Pattern p = Pattern.compile(s.get("pattern"));
                String to = s.get("replacement", "");
                return charFilter(name, in -> new PatternReplaceCharFilter(p, to, in));
            }));
    }

    @Override
    public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
        return Map.of("english", (i, e, name, s) -> new AbstractIndexAnalyzerProvider<EnglishAnalyzer>(name, s) {
            private final EnglishAnalyzer a = new EnglishAnalyzer();
            @Override public EnglishAnalyzer get() { return a; }
        });
    }

    private static TokenFilterFactory filter(String name, UnaryOperator<TokenStream> f) {
        return new TokenFilterFactory() {
            @Override public String name() { return name; }
            @Override public TokenStream create(TokenStream in) { return f.apply(in); }
        };
    }

    private static CharFilterFactory charFilter(String name, UnaryOperator<Reader> f) {
        return new NormalizingCharFilterFactory() {
            @Override public String name() { return name; }
            @Override public Reader create(Reader in) { return f.apply(in); }
        };
    }

    /** Inline "synonyms" in Solr format; analysed, as in Elasticsearch, with the tokenizer and filters that stand before it. */
    private static final class SynonymGraph implements TokenFilterFactory {
        private final String name;
        private final Settings s;

        SynonymGraph(String name, Settings s) {
            this.name = name;
            this.s = s;
            if (s.getAsList("synonyms").isEmpty()) {
                throw new IllegalArgumentException("this node takes synonyms only inline, in \"synonyms\"");
            }
        }

        @Override public String name() { return name; }

        @Override
        public TokenStream create(TokenStream in) {
            throw new IllegalStateException("synonym_graph outside an analyzer");
        }

        @Override
        public TokenFilterFactory getChainAwareTokenFilterFactory(IndexCreationContext context, TokenizerFactory tokenizer,
                List<CharFilterFactory> chars, List<TokenFilterFactory> before, Function<String, TokenFilterFactory> all) {
            Analyzer a = new CustomAnalyzer(tokenizer, chars.toArray(CharFilterFactory[]::new),
                before.stream().map(TokenFilterFactory::getSynonymFilter).toArray(TokenFilterFactory[]::new));
            SolrSynonymParser p = new SolrSynonymParser(true, s.getAsBoolean("expand", true), a);
            SynonymMap map;
            try {
                p.parse(new StringReader(String.join("\n", s.getAsList("synonyms"))));
                map = p.build();
            } catch (IOException | java.text.ParseException e) {
                throw new IllegalArgumentException("failed to build synonyms", e);
            }
            return filter(name, in -> map.fst == null ? in : new SynonymGraphFilter(in, map, false));
        }
    }
}
