import './base.css';
import './front.css';
import './panel.css';
import './export.css';
import './narrow.css';
