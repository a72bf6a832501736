"""What readers get to see of a story view: its page, and feeds of several stories.

Pure: content in, text out. The templates are read once, when this is imported; nothing here fetches an address, reads
a clock or knows where a page is kept or served.
"""

from denormalizer.pages.render import atom_feed, news_sitemap, rss_feed, story_article, story_page, story_style

__all__ = ["atom_feed", "news_sitemap", "rss_feed", "story_article", "story_page", "story_style"]
