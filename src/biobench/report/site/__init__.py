"""The results as a static site: pages that open from a file, need no network and read without
scripts.

    write_site(results, Path("site"))        # site/index.html and what it leads to

`gather` reads the runs into one `Subject`; each page kind (`kinds/`, listed in `kinds.KINDS`) makes
frozen views of it; `rendering` turns these into text with Jinja2; `site_files` puts the files into
place. docs/site.md says how a page kind is added.
"""

from biobench.report.site.serving import serve
from biobench.report.site.site_files import write_site

__all__ = ["serve", "write_site"]
